import VMAddressSpace
import VMMemory

/// Where partitions say which pages of a manager's regions were written.
///
/// It does not keep the manager, and works for as long as anybody has it: also while the manager goes, which takes all
/// memory away from its partitions and so makes them read their logs.
///
/// Threads: any, several at once.
public struct DirtyLogSink: Sendable {
    let space: GuestSpace

    /// Marks the pages as written that a partition's dirty log says were. A partition may call it at any time, also within
    /// a change: until it is to `map`, the log is about the memory that was there before, then about what is there after.
    /// - Parameters:
    ///   - words: a bit for each page, the first in the lowest bit of the first word.
    ///   - range: guest-physical; where it has no memory, bits are passed over.
    public func merge(_ words: UnsafeBufferPointer<UInt64>, of range: MemoryRange) {
        map.mergeDirtyLog(words, of: range)
    }

    /// Marks ranges of pages as written that a partition's dirty ring says were.
    public func markDirty(_ ranges: [MemoryRange]) {
        let map = map
        for range in ranges { map.markDirty(range) }
    }

    /// The memory that logs are about.
    package var map: RegionMap { space.shown.withLock(\.self) }
}
