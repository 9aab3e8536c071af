import CMeasuring
import CMemoryBaseline
import VMDirtyBitmap
import VMMemory

extension MemoryCase {
    /// Taking and dropping a snapshot of the memory map, with nobody changing it.
    static func snapshots() throws -> [MemoryCase] {
        let shared = GuestMemoryAtomic(try RegionMap(regions(2, size: 1 << 20, stride: 1 << 30, NoBitmap.self)))
        let baseline = BaselineMemory(regions: 2, size: 1 << 20, stride: 1 << 30, isTracked: false)
        return [
            MemoryCase("snapshot.load.1thread", goal: .timesPeer(0.5)) {
                try Batches.compare(
                    ours: { load(shared, $0) }, baseline: { baseline_shared_read(baseline.pointer, $0) })
            },
            MemoryCase("snapshot.load.2threads", goal: .timesPeer(0.5)) {
                try PinnedThreads.compare(
                    threads: 2, count: 1_000_000, ours: { load(shared, $0) },
                    baseline: { baseline_shared_read(baseline.pointer, $0) })
            },
        ]
    }
}

@inline(never)
private func load(_ shared: GuestMemoryAtomic<RegionMap>, _ count: UInt64) {
    for _ in 0..<count {
        let snapshot = shared.memory()
        snapshot.withMap { map in
            measuring_consume(UInt64(UInt(bitPattern: Unmanaged.passUnretained(map).toOpaque())))
        }
    }
}
