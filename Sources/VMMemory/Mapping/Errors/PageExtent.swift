import VMAddressSpace

/// A range of whole pages that lies within what it was asked of: what is left of an `Extent` once it is checked.
struct PageExtent: Hashable, Sendable {
    let bytes: Range<UInt64>

    var offset: Int { Int(bytes.lowerBound) }
    var count: Int { bytes.count }
    /// Of pages of 4096 bytes.
    var pageNumbers: Range<UInt64> { bytes.lowerBound >> 12..<bytes.upperBound >> 12 }

    /// - Parameters:
    ///   - limit: the length of what the range lies in, at most `Int.max`, so that whatever passes is an `Int`.
    ///   - pageSize: what offset and length must be multiples of.
    /// - Throws: `empty`, `misaligned` or `outOfBounds`.
    init(
        _ operation: HostMemoryError.Operation, offset: UInt64, count: UInt64, limit: UInt64,
        pageSize: PageSize = .size4K, file: String? = nil
    ) throws(HostMemoryError) {
        let extent = HostMemoryError.Extent(offset: offset, count: count)
        guard count > 0 else { throw HostMemoryError(operation, extent, file: file, .empty) }
        guard (offset | count) & pageSize.mask == 0 else {
            throw HostMemoryError(operation, extent, file: file, .misaligned(pageSize))
        }
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, end <= limit else {
            throw HostMemoryError(operation, extent, file: file, .outOfBounds(limit: limit))
        }
        self.bytes = offset..<end
    }

    var asked: HostMemoryError.Extent {
        HostMemoryError.Extent(offset: bytes.lowerBound, count: UInt64(count))
    }
}
