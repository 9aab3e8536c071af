import CThreads
import Synchronization
import VMHost

extension GuestMemoryAtomic {
    /// Calls `body` with the map in force, where the thread's first slot is free and nobody replaces the map this very
    /// moment: `memory()` for the shortest of accesses, without a call in it.
    ///
    /// - Parameter result: what is returned where it is not so.
    @inlinable @inline(__always)
    func withMapAtOnce<Result>(otherwise result: Result, _ body: (Map) -> Result) -> Result {
        // The two compiler barriers are light barriers once it is known that the kernel does the heavy half.
        guard ProcessBarrier.isAsymmetric, let slot = ReaderSlots.freeFirst() else { return result }
        let word = current.load(ordering: .relaxed)
        slot.pointee.store(word, ordering: .releasing)
        cthreads_compiler_barrier()
        guard current.load(ordering: .acquiring) == word else { return Self.leave(slot, result) }
        // SAFETY: the slot keeps the map alive until it is cleared.
        let pointer = UnsafeRawPointer(bitPattern: SnapshotWord(rawValue: word).pointer)
        let found = Unmanaged<Map>.fromOpaque(pointer.unsafelyUnwrapped)._withUnsafeGuaranteedRef(body)
        slot.pointee.store(0, ordering: .releasing)
        cthreads_compiler_barrier()
        // The attention word is in the block that this slot is the first of.
        if slot[ReaderSlots.attention].load(ordering: .relaxed) != 0 { return Self.leave(slot, found) }
        return found
    }

    @usableFromInline @inline(never)
    static func leave<Result>(_ slot: ReaderSlots.Slot, _ result: Result) -> Result {
        ReaderSlots.clear(slot)
        return result
    }
}
