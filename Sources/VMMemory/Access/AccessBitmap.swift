import Synchronization

/// Which pages of a backing may be accessed through its mapping: one bit per 4 KiB page and kind of access, 1 for allowed.
/// Only a view: whoever owns the words keeps them as long as the backing lives. See `PagePermissions`.
///
/// Words are read atomically, at any time and by any thread. After clearing a bit, call
/// `GuestMemoryAtomic.synchronize()`: when that returns, no access that saw the bit set is under way. Pages that are locked
/// stay so: whether they are, their backing knows (`lockPages`).
public struct AccessBitmap: @unchecked Sendable {
    // SAFETY: the words are atomics, and whoever made this value keeps them alive and does not move them.
    public typealias Words = UnsafePointer<Atomic<UInt64>>

    /// The bits for reading; nil where all pages may be read.
    public let readable: Words?
    /// The bits for writing; nil where all pages may be written.
    public let writable: Words?
    /// The number of the bit for the backing's first page, counted from the lowest bit of the first word. The words reach
    /// to the bit of its last page.
    public let firstBit: UInt64

    public init(readable: Words?, writable: Words?, firstBit: UInt64 = 0) {
        self.readable = readable
        self.writable = writable
        self.firstBit = firstBit
    }

    /// How many of `count` bytes from `offset` on may be accessed, before the first page that may not be.
    func allowedPrefix(_ offset: UInt64, _ count: UInt64, isWrite: Bool) -> UInt64 {
        guard let words = isWrite ? writable : readable else { return count }
        var done: UInt64 = 0
        while done < count {
            let page = (offset + done) >> 12
            let bit = firstBit &+ page
            // SAFETY: the owner's words cover the whole backing, and the caller's range is within it.
            guard words[Int(bit >> 6)].load(ordering: .acquiring) >> (bit & 63) & 1 == 1 else { return done }
            done = min(count, (page + 1) << 12 &- offset)
        }
        return count
    }
}
