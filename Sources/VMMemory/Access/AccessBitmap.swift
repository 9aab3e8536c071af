import Synchronization
import VMAddressSpace
import VMDirtyBitmap

/// Which pages of a backing may not be accessed through its mapping: one bit per 4 KiB page and kind of access, 1 for
/// forbidden, so that zeroed memory forbids nothing. Only a view: whoever owns the words keeps them as long as the backing
/// lives. See `PagePermissions`.
///
/// Words are read atomically, at any time and by any thread. After setting a bit, call
/// `GuestMemoryAtomic.synchronize()`: when that returns, no access that saw the bit clear is under way. Pages that are
/// locked stay so: whether they are, their backing knows (`lockPages`).
public struct AccessBitmap: @unchecked Sendable {
    // SAFETY: the words are atomics, and whoever made this value keeps them alive and does not move them.
    public typealias Words = UnsafePointer<Atomic<UInt64>>

    /// The bits that forbid reading; nil where all pages may be read.
    public let unreadable: Words?
    /// The bits that forbid writing; nil where all pages may be written.
    public let unwritable: Words?
    /// The number of the bit for the backing's first page, counted from the lowest bit of the first word. The words reach
    /// to the bit of its last page.
    public let firstBit: UInt64

    public init(unreadable: Words?, unwritable: Words?, firstBit: UInt64 = 0) {
        self.unreadable = unreadable
        self.unwritable = unwritable
        self.firstBit = firstBit
    }

    /// How many of `count` bytes from `offset` on may be accessed, before the first page that may not be.
    func allowedPrefix(_ offset: UInt64, _ count: UInt64, isWrite: Bool) -> UInt64 {
        guard let words = isWrite ? unwritable : unreadable, count > 0 else { return count }
        let shift = PageSize.size4K.shift
        let bits = (firstBit &+ offset >> shift)...(firstBit &+ (offset &+ (count &- 1)) >> shift)
        // SAFETY: the owner's words cover the whole backing, and the caller's range is within it.
        guard let bit = WordSpan(bits).firstSet(in: words) else { return count }
        let forbidden = (bit &- firstBit) << shift
        return forbidden > offset ? forbidden &- offset : 0
    }
}
