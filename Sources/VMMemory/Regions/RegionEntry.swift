import VMAddressSpace
import VMDirtyBitmap

/// What an access has to know of a region, in one place and without references to count.
///
/// Everything in it is valid for as long as the `RegionMap` it stands in, which owns the regions.
struct RegionEntry {
    let range: MemoryRange
    /// The host address of the first byte; nil where the region can only be reached by calls.
    let host: UnsafeMutableRawPointer?
    /// Whether nothing but the range stands between an access of the kind and `host`.
    let isPlainlyReadable: Bool
    let isPlainlyWritable: Bool
    let isReadOnly: Bool
    /// How a write is marked.
    let marking: Marking
    let accessOffset: UInt64
    let accessBitmap: AccessBitmap?

    enum Marking {
        case none
        case bits(AtomicBitmap.BorrowedSlice)
        /// By the region's own method.
        case region
    }

    init(_ region: some GuestMemoryRegion) {
        range = region.range
        host = region.hostAddress
        accessOffset = region.accessOffset
        isReadOnly = region.isReadOnly
        accessBitmap = region.access.accessBitmap
        if !region.isTracking {
            marking = .none
        } else if let slice = region.borrowedSlice {
            marking = .bits(slice)
        } else {
            marking = .region
        }
        isPlainlyReadable = host != nil && accessBitmap?.readable == nil
        isPlainlyWritable = host != nil && accessBitmap?.writable == nil && !isReadOnly
    }
}

/// Through the pointer, so that an access loads just the members it needs.
extension UnsafeMutablePointer<RegionEntry> {
    var start: UInt64 { pointee.range.start.rawValue }
    var last: UInt64 { pointee.range.last.rawValue }

    /// Whether nothing stands between an access and the host's memory. The bytes are within the region.
    @inline(__always)
    func permits(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> Bool {
        if isWrite ? pointee.isPlainlyWritable : pointee.isPlainlyReadable { return true }
        return permitsByBitmap(first, count, isWrite: isWrite)
    }

    @inline(never)
    private func permitsByBitmap(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> Bool {
        guard pointee.host != nil, !(isWrite && pointee.isReadOnly) else { return false }
        return permittedPrefix(first, count, isWrite: isWrite) == count
    }

    /// How many bytes the access bitmap allows to be accessed, before the first page it forbids.
    func permittedPrefix(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> UInt64 {
        guard let bitmap = pointee.accessBitmap else { return count }
        return bitmap.allowedPrefix(pointee.accessOffset &+ (first &- start), count, isWrite: isWrite)
    }

    /// The host address of a guest-physical address in a region that has one.
    @inline(__always)
    func hostAddress(_ address: UInt64) -> UnsafeMutableRawPointer {
        // SAFETY: only called for entries with a host address, for addresses within.
        pointee.host.unsafelyUnwrapped + Int(truncatingIfNeeded: address &- start)
    }

    /// Marks what was written, or may have been, where that is a matter of bits.
    /// - Returns: false where the region itself has to do it.
    @inline(__always)
    func markDirty(_ first: UInt64, _ count: UInt64) -> Bool {
        switch pointee.marking {
        case .none: return true
        case .bits(let slice):
            slice.markDirty(offset: first &- start, count: count)
            return true
        case .region: return false
        }
    }
}
