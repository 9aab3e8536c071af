import Glibc
import VMHost

/// `synchronize` was called by a thread that holds a snapshot itself, and would have waited for ever.
public struct SnapshotHeldByCaller: Error, CustomStringConvertible {
    public var description: String {
        "cannot wait for the readers of older memory maps: the calling thread is one of them"
    }
}

extension GuestMemoryAtomic {
    /// Waits until every snapshot that was taken before the call has been dropped: snapshots of the maps that have been
    /// replaced, and of the one in force. Later ones it does not wait for.
    ///
    /// So it is also the barrier after a change that readers learn of in another way than by a new map, such as a bit
    /// set in an access bitmap: on return nobody acts on the old value any more. What snapshots were made into by
    /// `retained()`, and pages that are locked, it does not wait for.
    ///
    /// It may be called while the map is locked, and by listeners. A snapshot that the calling thread was passed by
    /// another is not noticed to be its own: it waits for that for ever.
    /// - Throws: `SnapshotHeldByCaller` where the calling thread took such a snapshot, and nobody has dropped it.
    public func synchronize() throws(SnapshotHeldByCaller) {
        var pause = Pause()
        // Each for itself: at no time need all be clear.
        for reader in try earlierReaders() {
            while reader.isHeld { pause.wait() }
        }
        SnapshotReclaimer.reclaim()
    }

    private func earlierReaders() throws(SnapshotHeldByCaller) -> [HeldSlot] {
        let begun = SnapshotReclaimer.withRetired(by: owner) { retired -> (pointers: [UInt], now: SnapshotWord)? in
            let word = SnapshotWord(rawValue: current.load(ordering: .relaxed))
            let pointers = retired + [word.pointer]
            guard !ReaderSlots.callerHolds(where: { pointers.contains($0.pointer) }) else { return nil }
            current.store(word.next.rawValue, ordering: .releasing)
            return (pointers, word.next)
        }
        guard let (pointers, now) = begun else { throw SnapshotHeldByCaller() }
        // Those who took their snapshot before are in their slots now.
        ProcessBarrier.heavy()
        return ReaderSlots.held { pointers.contains($0.pointer) && $0.precedes(now) }
    }
}

/// Ever longer pauses, from giving way to others up to a tenth of a millisecond.
private struct Pause {
    private var count = 0

    mutating func wait() {
        count += 1
        if count < 16 {
            sched_yield()
        } else {
            usleep(UInt32(min(count - 15, 10) * 10))
        }
    }
}
