import Synchronization
import VMHost

/// A memory map that can be replaced while others use it: readers take snapshots, which stay as they were; whoever
/// changes the map publishes a new one.
///
/// ```
/// let memory = GuestMemoryAtomic(try RegionMap([ram]))
/// memory.memory().withMap { $0.region(containing: address) }          // any thread, at any time
/// try memory.update { map throws(RegionMapError) in try map.inserting(hotplugged) }
/// try memory.synchronize()                                           // nobody sees the old map any more
/// ```
///
/// All of it may be called from any thread.
public final class GuestMemoryAtomic<Map: AnyObject & Sendable>: Sendable {
    /// The published `SnapshotWord`, which owns a reference to its map. Only changed within `SnapshotReclaimer.retire` and
    /// `withRetired`, which exclude each other.
    @usableFromInline let current: Atomic<UInt>
    /// Whose maps are whose, for `SnapshotReclaimer`.
    let owner = SnapshotReclaimer.makeOwner()
    private let generationCount = Atomic<UInt64>(0)
    let changes = Monitor(SnapshotChanges())

    /// - Parameter map: the first map, of generation 0.
    public init(_ map: Map) {
        current = Atomic(UInt(bitPattern: Unmanaged.passRetained(map).toOpaque()))
    }

    deinit {
        // Snapshots may outlive this object.
        SnapshotReclaimer.retire(by: owner) { Self.reference(SnapshotWord(rawValue: current.load(ordering: .relaxed))) }
        SnapshotReclaimer.reclaim()
    }

    /// The map in force, for reading; costs no reference count and never waits.
    @inlinable @inline(__always)
    public func memory() -> MemorySnapshot<Map> {
        let slot = ReaderSlots.free()
        var word = current.load(ordering: .relaxed)
        while true {
            slot.pointee.store(word, ordering: .releasing)
            // Either whoever replaces the map finds the word in the slot, or the load below finds the new map.
            ProcessBarrier.light()
            let now = current.load(ordering: .acquiring)
            if now == word { return MemorySnapshot(slot: slot, word: word) }
            word = now
        }
    }

    /// How often the map has been replaced. Whoever keeps something taken from a snapshot can see by it, at the cost of a
    /// load, that it may be outdated: it grows once the new map is published, so look at it before taking the snapshot.
    public var generation: UInt64 {
        generationCount.load(ordering: .acquiring)
    }

    /// Publishes `map`; only called by who holds the lock.
    func publish(_ map: Map) {
        let pointer = UInt(bitPattern: Unmanaged.passRetained(map).toOpaque())
        SnapshotReclaimer.retire(by: owner) {
            let old = SnapshotWord(rawValue: current.load(ordering: .relaxed))
            current.store(old.with(pointer: pointer).rawValue, ordering: .releasing)
            return Self.reference(old)
        }
        let generation = generationCount.wrappingAdd(1, ordering: .releasing).newValue
        for listener in changes.withLock({ $0.listeners }) { listener.body(generation) }
        SnapshotReclaimer.reclaim()
    }

    private static func reference(_ word: SnapshotWord) -> Unmanaged<AnyObject> {
        // SAFETY: `word` was published by this object, with a reference of its own to a `Map`.
        let pointer = UnsafeRawPointer(bitPattern: word.pointer)
        return Unmanaged<AnyObject>.fromOpaque(pointer.unsafelyUnwrapped)
    }
}
