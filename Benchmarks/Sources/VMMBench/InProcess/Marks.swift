import BenchmarkSupport
import CAllocationCounter
import Synchronization
import VMDevices

/// What is read off at one byte of a guest's serial output.
struct Mark {
    let nanoseconds: UInt64
    /// Of the vCPU's thread, so far.
    let allocations: UInt64

    static var now: Mark { Mark(nanoseconds: monotonicNanoseconds(), allocations: allocation_count()) }
}

/// A serial console whose every byte is a mark. The bytes themselves are of no interest.
final class Marks: ConsoleOutput, @unchecked Sendable {
    // SAFETY: the one vCPU thread writes; others read once they have waited for the end of that thread.
    private let storage: UnsafeMutableBufferPointer<Mark>
    private var count = 0
    private let counted = Atomic<Int>(0)

    private static let capacity = 8

    init() {
        storage = .allocate(capacity: Self.capacity)
        storage.initialize(repeating: Mark(nanoseconds: 0, allocations: 0))
    }

    deinit {
        storage.deallocate()
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        for _ in bytes { set() }
    }

    func set() {
        guard count < Self.capacity else { return }
        storage[count] = .now
        count += 1
        counted.store(count, ordering: .releasing)
    }

    /// The first, once it is set; any thread may ask.
    var first: Mark? {
        // What the vCPU's thread has counted, it has stored.
        counted.load(ordering: .acquiring) > 0 ? storage[0] : nil
    }

    /// The marks so far, of which the caller needs `needed`.
    func all(needed: Int) throws -> [Mark] {
        guard count == needed else { throw BenchmarkError("the guest set \(count) marks instead of \(needed)") }
        return Array(storage.prefix(count))
    }
}
