import BenchmarkSupport
import CMemoryBaseline
import Glibc
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

extension MemoryCase {
    /// Reads that the host's processor faults on: from the fault to the error in the caller's hands.
    static func faults() throws -> [MemoryCase] {
        let page: UInt64 = 4096
        let protected = try HostMapping(anonymous: page, protection: .none)
        let file = try MemoryFile(memfd: "benchmark", byteCount: page, sealed: false)
        let truncated = try HostMapping(file, count: page)
        guard ftruncate(file.descriptor.rawValue, 0) == 0 else { throw BenchmarkError("cannot truncate a memfd") }
        return try [
            fault("access.fault", MappedMemory(protected), .fault(.protected)),
            fault("access.fault.truncated", MappedMemory(truncated), .fault(.noBacking)),
        ]
    }

    private static func fault(
        _ name: String, _ backing: MappedMemory, _ expected: GuestMemoryError.Kind
    ) throws -> MemoryCase {
        let range = try MemoryRange(start: GuestAddress(0), count: backing.byteCount)
        let map = try RegionMap([try MemoryRegion(range, backing, bitmap: NoBitmap())])
        let memory = GuestMemory(GuestMemoryAtomic(map))
        return MemoryCase(name, goal: .nanoseconds(3000)) {
            try Batches.compare(
                ours: { count in
                    for _ in 0..<count {
                        guard errorOfRead(memory)?.kind == expected else {
                            throw BenchmarkError("what is to fault did not, or with another error")
                        }
                    }
                },
                baseline: { count in
                    guard baseline_fault(backing.mapping, count) == count else {
                        throw BenchmarkError("what is to fault was read")
                    }
                })
        }
    }
}

private func errorOfRead(_ memory: GuestMemory) -> GuestMemoryError? {
    do throws(GuestMemoryError) {
        _ = try memory.load(GuestAddress(0), as: UInt64.self)
        return nil
    } catch {
        return error
    }
}
