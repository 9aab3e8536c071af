import VMAddressSpace
import VMDirtyBitmap

/// One region of a memory map: a range of guest-physical addresses and what lies behind it.
///
/// `MemoryRegion` is the one to use; this is what a `RegionMap` needs to know of it, so that regions with different
/// bitmaps, or none, can be in one map. A region never changes.
public protocol GuestMemoryRegion: AnyObject, Sendable {
    /// Where the guest sees it.
    var range: MemoryRange { get }
    /// What lies behind it.
    var access: any GuestMemoryAccess { get }
    /// The offset of the region's first byte in what lies behind it, in bytes, a multiple of 4 KiB.
    var accessOffset: UInt64 { get }
    /// That of what lies behind it, which is to be read once, when the region is made.
    var accessBitmap: AccessBitmap? { get }
    /// Whether writing fails, as to ROM.
    var isReadOnly: Bool { get }
    /// Whether writes are to be marked at all.
    var isTracking: Bool { get }
    /// The bitmap of the region where it is an `AtomicBitmap`, or wraps one: it is then marked without a dynamic call.
    var borrowedSlice: AtomicBitmap.BorrowedSlice? { get }
    /// Marks `count` bytes from `offset` in the region on as written.
    func markDirty(offset: UInt64, count: UInt64)
    /// Whether the page at `offset` in the region is marked.
    func isDirty(at offset: UInt64) -> Bool
}

extension GuestMemoryRegion {
    /// The host address of the region's first byte; nil where it has none.
    public var hostAddress: UnsafeMutableRawPointer? {
        access.mapping.map { $0 + Int(accessOffset) }
    }
}
