import VMAddressSpace
import VMDirtyBitmap

/// What an access has to know of a region, in one place and without references to count.
///
/// Everything in it is valid for as long as the `RegionMap` it stands in, which owns the regions.
struct RegionEntry {
    // SAFETY: the `RegionMap` owns the region.
    unowned(unsafe) let region: any GuestMemoryRegion
    let start: UInt64
    /// The offset of the region's last byte.
    let lastOffset: UInt64
    /// The host address of the first byte; nil where the region can only be reached by calls.
    let host: UnsafeMutableRawPointer?
    /// `host`, where nothing but the range stands between a read and it.
    let readable: UnsafeMutableRawPointer?
    /// `host`, where nothing but the range stands between a write and it, which is marked in `bitmap` if at all.
    let writable: UnsafeMutableRawPointer?
    /// Where writes are marked: a bitmap of all of the region, in pages of 4 KiB or more.
    let bitmap: AtomicBitmap.BorrowedSlice?
    /// Whether writes are marked by the region's own method instead.
    let marksByItself: Bool
    let isReadOnly: Bool
    /// Whether there are pages that may not be accessed; the region has the bitmap.
    let hasAccessBitmap: Bool

    /// No address is in it.
    static var none: RegionEntry { RegionEntry(NoRegion.shared) }

    init(_ region: any GuestMemoryRegion) {
        let range = region.range
        let lastOffset = range.last.rawValue &- range.start.rawValue
        let slice = region.isTracking ? region.borrowedSlice : nil
        let isPageByPage = slice.map { $0.startsAtPage && $0.pageSize >= PageSize.size4K.bytes } ?? false
        self.region = region
        start = range.start.rawValue
        self.lastOffset = lastOffset
        host = region.hostAddress
        isReadOnly = region.isReadOnly
        let accessBitmap = region.accessBitmap
        hasAccessBitmap = accessBitmap != nil
        bitmap = slice.flatMap { isPageByPage && $0.byteCount > lastOffset ? $0 : nil }
        marksByItself = region.isTracking && bitmap == nil
        readable = accessBitmap?.unreadable == nil ? host : nil
        writable = accessBitmap?.unwritable == nil && !isReadOnly && !marksByItself ? host : nil
    }
}

extension RegionEntry {
    /// Of the region of a map; that of `none` is no range.
    var range: MemoryRange {
        MemoryRange(uncheckedFrom: GuestAddress(start), through: GuestAddress(start &+ lastOffset))
    }
}

/// Through the pointer, so that an access loads just the members it needs.
extension UnsafeMutablePointer<RegionEntry> {
    var start: UInt64 { pointee.start }
    var last: UInt64 { pointee.start &+ pointee.lastOffset }

    /// Whether nothing stands between an access and the host's memory. The bytes are within the region.
    @inline(__always)
    func permits(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> Bool {
        (isWrite ? pointee.writable : pointee.readable) != nil || permitsWithCare(first, count, isWrite: isWrite)
    }

    @inline(never)
    private func permitsWithCare(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> Bool {
        guard pointee.host != nil, !(isWrite && pointee.isReadOnly) else { return false }
        return permittedPrefix(first, count, isWrite: isWrite) == count
    }

    /// How many bytes the access bitmap allows to be accessed, before the first page it forbids.
    func permittedPrefix(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> UInt64 {
        guard pointee.hasAccessBitmap, let bitmap = pointee.region.accessBitmap else { return count }
        return bitmap.allowedPrefix(pointee.region.accessOffset &+ (first &- start), count, isWrite: isWrite)
    }

    /// The host address of a guest-physical address in a region that has one.
    @inline(__always)
    func hostAddress(_ address: UInt64) -> UnsafeMutableRawPointer {
        // SAFETY: only called for entries with a host address, for addresses within.
        pointee.host.unsafelyUnwrapped + Int(truncatingIfNeeded: address &- start)
    }

    /// Marks what was written, or may have been.
    @inline(__always)
    func markDirty(_ first: UInt64, _ count: UInt64) {
        if let bitmap = pointee.bitmap {
            bitmap.markDirty(offset: first &- start, count: count)
        } else if pointee.marksByItself {
            pointee.region.markDirty(offset: first &- start, count: count)
        }
    }
}
