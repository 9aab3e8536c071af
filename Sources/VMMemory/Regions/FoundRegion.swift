import VMAddressSpace
import VMDirtyBitmap

/// A region that was found in a table: valid as long as the `RegionMap` that the table belongs to.
struct FoundRegion {
    let start: UInt64
    /// A pointer, so that an access loads just the members it needs.
    let entry: UnsafeMutablePointer<RegionEntry>

    var last: UInt64 { start &+ entry.pointee.lastOffset }
    /// That of `NoRegion` is no range.
    var range: MemoryRange { MemoryRange(uncheckedFrom: GuestAddress(start), through: GuestAddress(last)) }

    var region: any GuestMemoryRegion { record { $0.region } }
    /// The host address of the first byte; nil where the region can only be reached by calls.
    var host: UnsafeMutableRawPointer? { record { $0.host } }
    var bitmap: AtomicBitmap.BorrowedSlice? { record { $0.bitmap } }
    var isReadOnly: Bool { record { $0.isReadOnly } }

    @inline(__always)
    private func record<Result>(_ body: (RegionRecord) -> Result) -> Result {
        // SAFETY: the map keeps the record alive.
        entry.pointee.record._withUnsafeGuaranteedRef(body)
    }

    /// Whether nothing stands between an access and the host's memory. The bytes are within the region.
    @inline(__always)
    func permits(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> Bool {
        (isWrite ? entry.pointee.writable : entry.pointee.readable) != nil
            || permitsWithCare(first, count, isWrite: isWrite)
    }

    @inline(never)
    private func permitsWithCare(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> Bool {
        guard host != nil, !(isWrite && isReadOnly) else { return false }
        return permittedPrefix(first, count, isWrite: isWrite) == count
    }

    /// How many bytes the access bitmap allows to be accessed, before the first page it forbids.
    func permittedPrefix(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> UInt64 {
        guard let bitmap = record({ $0.accessBitmap }) else { return count }
        return bitmap.allowedPrefix(region.accessOffset &+ (first &- start), count, isWrite: isWrite)
    }

    /// The host address of a guest-physical address in a region that has one.
    @inline(__always)
    func hostAddress(_ address: UInt64) -> UnsafeMutableRawPointer {
        // SAFETY: only called for regions with a host address, for addresses within.
        host.unsafelyUnwrapped + Int(truncatingIfNeeded: address &- start)
    }

    /// Marks what was written, or may have been.
    @inline(__always)
    func markDirty(_ first: UInt64, _ count: UInt64) {
        if let bitmap {
            bitmap.markDirty(offset: first &- start, count: count)
        } else if record({ $0.marksByItself }) {
            region.markDirty(offset: first &- start, count: count)
        }
    }
}
