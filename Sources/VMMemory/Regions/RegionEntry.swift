import VMAddressSpace

/// What an access has to know of a region, beside where it starts, in one place and without references to count. It is
/// small, half a cache line, as each new map has a copy of those of all its regions: the rest, such as the bitmap that writes are
/// marked in, is in the record, of which maps have one.
///
/// Everything in it is valid for as long as the `RegionMap` it stands in, which owns the records.
struct RegionEntry {
    // SAFETY: the `RegionMap` owns the record.
    let record: Unmanaged<RegionRecord>
    /// The offset of the region's last byte.
    let lastOffset: UInt64
    /// The host address of the first byte, where nothing but the range stands between a read and it.
    let readable: UnsafeMutableRawPointer?
    /// The same, where nothing but the range stands between a write and it, which is marked in the record's bitmap if at all.
    let writable: UnsafeMutableRawPointer?

    init(_ record: RegionRecord) {
        let range = record.region.range
        self.record = .passUnretained(record)
        lastOffset = range.last.rawValue &- range.start.rawValue
        readable = record.accessBitmap?.unreadable == nil ? record.host : nil
        let canWrite = record.accessBitmap?.unwritable == nil && !record.isReadOnly && !record.marksByItself
        writable = canWrite ? record.host : nil
    }
}
