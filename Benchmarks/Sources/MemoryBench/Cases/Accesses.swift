import BenchmarkSupport
import CMeasuring
import CMemoryBaseline
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

extension MemoryCase {
    /// Reading and writing by guest-physical address, where all goes well.
    static func accesses() throws -> [MemoryCase] {
        let untracked = try Accesses<NoBitmap>()
        let tracked = try Accesses<AtomicBitmap>()
        return [
            untracked.readWord("access.read.u64"),
            untracked.writeWord("access.write.u64.untracked"),
            tracked.writeWord("access.write.u64.tracked"),
            untracked.readPage("access.read.4KiB"),
            tracked.writePage("access.write.4KiB.tracked"),
            untracked.copyPage(copyPageName),
        ]
    }

    fileprivate static let copyPageName = "raw.memcpy.4KiB"
}

/// Memory of two regions of 4 MiB. Accesses stay within the first 32 KiB of it, so the data is in the first-level cache.
private final class Accesses<Dirty: NewBitmap> {
    private let ours: GuestMemory
    private let baseline: BaselineMemory
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    private let source = UnsafeMutableRawBufferPointer.allocate(byteCount: 8 * 4096, alignment: 4096)

    private static var wordMask: UInt64 { 4095 }
    private static var pageMask: UInt64 { 7 }

    init() throws {
        let (size, stride) = (UInt64(4 << 20), UInt64(4 << 30))
        ours = GuestMemory(GuestMemoryAtomic(try RegionMap(regions(2, size: size, stride: stride, Dirty.self))))
        baseline = BaselineMemory(regions: 2, size: size, stride: stride, isTracked: Dirty.self != NoBitmap.self)
        buffer.initializeMemory(as: UInt8.self, repeating: 7)
        source.initializeMemory(as: UInt8.self, repeating: 1)
        // Memory that was never written is one page of zeroes to the host, and quicker to read.
        try ours.fill(GuestAddress(0), count: size, with: 1)
        baseline_write_page(baseline.pointer, buffer.baseAddress, Self.pageMask, 8)
    }

    deinit {
        buffer.deallocate()
        source.deallocate()
    }

    func readWord(_ name: String) -> MemoryCase {
        MemoryCase(name, goal: .timesPeer(1)) { [ours, baseline] in
            try Batches.compare(
                ours: { count in
                    for index in 0..<count {
                        let address = GuestAddress(measuring_opaque((index & Self.wordMask) &* 8))
                        measuring_consume(try ours.load(address, as: UInt64.self))
                    }
                },
                baseline: { baseline_read_u64(baseline.pointer, Self.wordMask, $0) })
        }
    }

    func writeWord(_ name: String) -> MemoryCase {
        MemoryCase(name, goal: .timesPeer(1)) { [ours, baseline] in
            try Batches.compare(
                ours: { count in
                    for index in 0..<count {
                        let address = GuestAddress(measuring_opaque((index & Self.wordMask) &* 8))
                        try ours.store(measuring_opaque(index), at: address)
                    }
                },
                baseline: { baseline_write_u64(baseline.pointer, Self.wordMask, $0) })
        }
    }

    func readPage(_ name: String) -> MemoryCase {
        MemoryCase(name, goal: .timesPeer(1)) { [self] in
            let buffer = buffer
            return try Batches.compare(
                ours: { [ours] count in
                    for index in 0..<count {
                        let length = Int(measuring_opaque(4096))
                        let address = GuestAddress(measuring_opaque((index & Self.pageMask) &* 4096))
                        try ours.read(
                            address, into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: length))
                    }
                },
                baseline: { [baseline] in
                    baseline_read_page(baseline.pointer, buffer.baseAddress, Self.pageMask, $0)
                })
        }
    }

    func writePage(_ name: String) -> MemoryCase {
        MemoryCase(name, goal: .timesBaseline(of: MemoryCase.copyPageName, 1.05)) { [self] in
            let buffer = buffer
            return try Batches.compare(
                ours: { [ours] count in
                    for index in 0..<count {
                        let length = Int(measuring_opaque(4096))
                        let address = GuestAddress(measuring_opaque((index & Self.pageMask) &* 4096))
                        try ours.write(UnsafeRawBufferPointer(start: buffer.baseAddress, count: length), at: address)
                    }
                },
                baseline: { [baseline] in
                    baseline_write_page(baseline.pointer, buffer.baseAddress, Self.pageMask, $0)
                })
        }
    }

    /// What a copy costs that nothing is done about.
    func copyPage(_ name: String) -> MemoryCase {
        MemoryCase(name) { [self] in
            let (buffer, source) = (buffer, source)
            return try Batches.compare(
                ours: { count in
                    guard let target = buffer.baseAddress, let first = source.baseAddress else { return }
                    for index in 0..<count {
                        let offset = Int(measuring_opaque((index & Self.pageMask) &* 4096))
                        target.copyMemory(from: first + offset, byteCount: Int(measuring_opaque(4096)))
                        measuring_consume(UInt64(UInt(bitPattern: target)))
                    }
                },
                baseline: { baseline_memcpy_page(buffer.baseAddress, source.baseAddress, Self.pageMask, $0) })
        }
    }
}
