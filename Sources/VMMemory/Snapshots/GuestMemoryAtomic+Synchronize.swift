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
        _ = try synchronize(until: .distantFuture)
    }

    /// The same, for no longer than a timeout. With one of zero it only looks.
    /// - Returns: whether all those snapshots have been dropped.
    public func synchronize(waitingUpTo timeout: Duration) throws(SnapshotHeldByCaller) -> Bool {
        try synchronize(until: .now.advanced(by: timeout))
    }

    /// Whether somebody reads a map that has been replaced, by a snapshot. Nobody does from then on, if not.
    package var isOlderMapRead: Bool { SnapshotReclaimer.hasRetired(by: owner) }

    /// Readers that a call gave up on are waited for by the next ones before those begin a new tag: so there are never
    /// readers with many different ones (`SnapshotWord.precedes`), however often calls give up.
    private func synchronize(until deadline: MonotonicTime) throws(SnapshotHeldByCaller) -> Bool {
        let left = changes.withLock { $0.readersLeft }
        if !left.isEmpty {
            try beginWaiting { _, _ in }
            guard left.wait(until: deadline).isEmpty else { return false }
            changes.withLock { changes in changes.readersLeft.removeAll { !$0.isHeld } }
        }
        let rest = try earlierReaders().wait(until: deadline)
        if !rest.isEmpty { changes.withLock { $0.readersLeft += rest } }
        SnapshotReclaimer.reclaim()
        return rest.isEmpty
    }

    private func earlierReaders() throws(SnapshotHeldByCaller) -> [HeldSlot] {
        let (pointers, now) = try beginWaiting { word, pointers in
            current.store(word.next.rawValue, ordering: .releasing)
            return (pointers, word.next)
        }
        // Those who took their snapshot before are in their slots now.
        ProcessBarrier.heavy()
        return ReaderSlots.held { pointers.contains($0.pointer) && $0.precedes(now) }
    }

    /// Calls `body` with the word in force and the addresses of all maps that may be read. No map is replaced meanwhile.
    private func beginWaiting<Result>(
        _ body: (SnapshotWord, [UInt]) -> Result
    ) throws(SnapshotHeldByCaller) -> Result {
        let result = SnapshotReclaimer.withRetired(by: owner) { retired -> Result? in
            let word = SnapshotWord(rawValue: current.load(ordering: .relaxed))
            let pointers = retired + [word.pointer]
            guard !ReaderSlots.callerHolds(where: { pointers.contains($0.pointer) }) else { return nil }
            return body(word, pointers)
        }
        guard let result else { throw SnapshotHeldByCaller() }
        return result
    }
}

extension [HeldSlot] {
    /// Waits until no slot has its word any more. Each for itself: at no time need all be clear.
    /// - Returns: those that still have at the deadline.
    fileprivate func wait(until deadline: MonotonicTime) -> [HeldSlot] {
        var pause = Pause()
        for (index, reader) in enumerated() {
            while reader.isHeld {
                guard .now < deadline else { return self[index...].filter(\.isHeld) }
                pause.wait()
            }
        }
        return []
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
