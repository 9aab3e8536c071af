import Synchronization
import VMHost

/// Frees maps that have been replaced, once nobody reads them.
///
/// Nothing waits here: a map that is still being read is freed by the thread that lets go of its last snapshot, which
/// sees by the attention word beside its slots that it is wanted.
///
/// # Why none is forgotten
/// A reader that `reclaim` leaves behind was asked, and after a heavy barrier still seen to read; so it sees that it was
/// asked when it clears its slot. It then reclaims itself, unless another thread took the bit away first: that one does so
/// then, and either sees the slot clear or asks again.
enum SnapshotReclaimer {
    /// A map that has been replaced.
    private struct Retired {
        let owner: UInt64
        let map: Unmanaged<AnyObject>
        /// Those who read it when it was replaced, as far as they still do; nil until they have been looked for. Later
        /// readers of the same map are no matter: it is in force again then, with a reference of its own.
        var readers: [HeldSlot]?

        var pointer: UInt { UInt(bitPattern: map.toOpaque()) }
    }
    private static let retired = Monitor([Retired]())
    private static let ownerCount = Atomic<UInt64>(0)

    /// A number for a `GuestMemoryAtomic`, which unlike its address is not used again.
    static func makeOwner() -> UInt64 {
        ownerCount.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Takes over the reference to a map that `takeOutOfForce` returns after it has done so: nobody finds the map neither
    /// in force nor retired. `reclaim` is to be called next.
    static func retire(by owner: UInt64, _ takeOutOfForce: () -> Unmanaged<AnyObject>) {
        retired.withLock { $0.append(Retired(owner: owner, map: takeOutOfForce())) }
    }

    /// Whether a map of `owner` has been replaced and not yet freed.
    static func hasRetired(by owner: UInt64) -> Bool {
        retired.withLock { $0.contains { $0.owner == owner } }
    }

    /// Calls `body` with the addresses of the maps of `owner` that have been replaced and not yet freed. It replaces none
    /// meanwhile.
    static func withRetired<Result>(by owner: UInt64, _ body: ([UInt]) -> Result) -> Result {
        retired.withLock { retired in body(retired.filter { $0.owner == owner }.map(\.pointer)) }
    }

    /// Frees what nobody reads any more.
    static func reclaim() {
        let unread = retired.withLock { retired in
            findReaders(of: &retired)
            askReaders(of: retired)
            for index in retired.indices { retired[index].readers?.removeAll { !$0.isHeld } }
            let unread = retired.filter { $0.readers?.isEmpty == true }
            if !unread.isEmpty { retired.removeAll { $0.readers?.isEmpty == true } }
            return unread
        }
        // Outside the lock: what is freed may itself drop a snapshot or own a `GuestMemoryAtomic`.
        for retired in unread { retired.map.release() }
    }

    private static func findReaders(of retired: inout [Retired]) {
        guard retired.contains(where: { $0.readers == nil }) else { return }
        // Those who took their snapshot in time are in their slots now.
        ProcessBarrier.heavy()
        for index in retired.indices where retired[index].readers == nil {
            let pointer = retired[index].pointer
            retired[index].readers = ReaderSlots.held { $0.pointer == pointer }
        }
    }

    /// Makes the readers of retired maps call `reclaim` when they are done.
    private static func askReaders(of retired: [Retired]) {
        var isAnybodyAsked = false
        for retired in retired {
            for reader in retired.readers ?? [] {
                ReaderSlots.ask(reader.slot)
                isAnybodyAsked = true
            }
        }
        // Those who cleared their slots without seeing it are seen to have done so now.
        if isAnybodyAsked { ProcessBarrier.heavy() }
    }
}
