import VMAddressSpace
import VMDirtyBitmap

/// A region of guest memory with the bitmap that says which of its pages were written.
public final class MemoryRegion<Dirty: Bitmap>: GuestMemoryRegion {
    public let range: MemoryRange
    public let access: any GuestMemoryAccess
    public let accessOffset: UInt64
    public let accessBitmap: AccessBitmap?
    public let isReadOnly: Bool
    /// Which pages were written, by offset in the region.
    public let bitmap: Dirty

    /// A region of memory that exists already, or a part of it.
    /// - Parameter offset: of the region's first byte in `access`, in bytes, a multiple of 4 KiB.
    /// - Throws: `RegionMapError.unalignedOffset`; `backingTooShort` where `access` ends before the region does.
    public init(
        _ range: MemoryRange, _ access: any GuestMemoryAccess, offset: UInt64 = 0, isReadOnly: Bool = false,
        bitmap: Dirty
    ) throws(RegionMapError) {
        guard offset & PageSize.size4K.mask == 0 else { throw .unalignedOffset(range, offset: offset) }
        // By the last byte, since a `UInt64` cannot count all 2^64 of them.
        let (last, overflow) = offset.addingReportingOverflow(range.last.rawValue - range.start.rawValue)
        guard !overflow, last < access.byteCount else {
            throw .backingTooShort(range, offset: offset, byteCount: access.byteCount)
        }
        self.range = range
        self.access = access
        self.accessOffset = offset
        self.accessBitmap = access.accessBitmap
        self.isReadOnly = isReadOnly
        self.bitmap = bitmap
    }

    public var isTracking: Bool { bitmap.isTracking }
    public var borrowedSlice: AtomicBitmap.BorrowedSlice? { bitmap.borrowedSlice }

    public func markDirty(offset: UInt64, count: UInt64) {
        bitmap.markDirty(offset: offset, count: count)
    }

    public func isDirty(at offset: UInt64) -> Bool {
        bitmap.isDirty(at: offset)
    }
}
