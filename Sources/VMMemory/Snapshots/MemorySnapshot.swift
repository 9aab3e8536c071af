import Synchronization

/// A memory map that stays as it is, and stays alive, for as long as this value does; what `GuestMemoryAtomic.memory()`
/// returns. Taking and dropping one touches no reference count.
///
/// Hold it for a few accesses, not for long: `synchronize()` waits for it. For a longer time, take `retained()`. It may
/// be passed to another thread and outlive the `GuestMemoryAtomic` it came from.
///
/// Dropping one frees the maps that were only kept for it, and may free others that have been replaced. So let no lock be
/// held then that the end of a map, its regions or their backings takes.
@frozen
public struct MemorySnapshot<Map: AnyObject & Sendable>: ~Copyable, @unchecked Sendable {
    // SAFETY: the slot keeps the map from being freed, whichever thread holds this value; clearing a slot is an atomic
    // store that any thread may do.
    @usableFromInline let slot: ReaderSlots.Slot
    @usableFromInline let reference: Unmanaged<Map>

    @inlinable @inline(__always)
    init(slot: ReaderSlots.Slot, word: UInt) {
        self.slot = slot
        // SAFETY: the word is one of a `GuestMemoryAtomic<Map>`, which never publishes a null pointer.
        let pointer = UnsafeRawPointer(bitPattern: SnapshotWord(rawValue: word).pointer)
        reference = Unmanaged<Map>.fromOpaque(pointer.unsafelyUnwrapped)
    }

    @inlinable @inline(__always)
    deinit {
        ReaderSlots.clear(slot)
    }

    /// Calls `body` with the map, without counting a reference to it.
    @inlinable @inline(__always)
    public func withMap<Result, Failure: Error>(
        _ body: (Map) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // SAFETY: `slot` keeps the map alive at least as long as `self`, which this call borrows.
        let result = reference._withUnsafeGuaranteedRef { map in
            do throws(Failure) {
                return Swift.Result<Result, Failure>.success(try body(map))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The map as an ordinary reference, which may be kept.
    public func retained() -> Map {
        reference.takeUnretainedValue()
    }
}
