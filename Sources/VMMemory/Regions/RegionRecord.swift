import VMAddressSpace
import VMDirtyBitmap

/// What is to be known of a region, found out once and shared by the maps that have it.
final class RegionRecord: @unchecked Sendable {
    // SAFETY: everything is set by `init` and only read. The pointers are to what the region keeps.
    let region: any GuestMemoryRegion
    /// The host address of the first byte; nil where the region can only be reached by calls.
    let host: UnsafeMutableRawPointer?
    /// Where writes are marked: a bitmap of all of the region, in pages of 4 KiB or more.
    let bitmap: AtomicBitmap.BorrowedSlice?
    /// Whether writes are marked by the region's own method instead.
    let marksByItself: Bool
    let isReadOnly: Bool
    /// Which pages may not be accessed.
    let accessBitmap: AccessBitmap?

    /// Of `NoRegion`: no address is in it.
    static let none = RegionRecord(NoRegion.shared)

    init(_ region: any GuestMemoryRegion) {
        let lastOffset = region.range.last.rawValue &- region.range.start.rawValue
        let slice = region.isTracking ? region.borrowedSlice : nil
        let isPageByPage = slice.map { $0.startsAtPage && $0.pageSize >= PageSize.size4K.bytes } ?? false
        self.region = region
        host = region.hostAddress
        isReadOnly = region.isReadOnly
        accessBitmap = region.accessBitmap
        bitmap = slice.flatMap { isPageByPage && $0.byteCount > lastOffset ? $0 : nil }
        marksByItself = region.isTracking && bitmap == nil
    }
}
