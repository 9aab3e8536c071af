import VMAddressSpace

/// The horizontal axis of a heat map: guest memory side by side, without the holes between, in columns of equal width.
///
/// A *position* counts the pages of memory, 4 KiB each, from the lowest up, as if there were no holes; an address has
/// one if there is memory. Columns have the same number of pages, to within one; one across a hole has pages of both
/// sides.
public struct HeatmapAxis: Equatable, Sendable {
    /// Memory without a hole in it.
    public struct Extent: Equatable, Sendable {
        public let range: MemoryRange
        /// Of its first page.
        public let firstPosition: UInt64

        /// Of its pages.
        public var positions: Range<UInt64> { firstPosition..<(firstPosition + range.pageCount) }

        /// - Parameter frame: the number of a page frame in it.
        func position(ofFrame frame: UInt64) -> UInt64 { firstPosition + (frame - range.start.frame) }
    }

    /// Ascending and disjoint, none touching the next.
    public let extents: [Extent]
    /// In 4 KiB pages, of all extents.
    public let pageCount: UInt64
    /// Where the columns begin, and where the last ends.
    let boundaries: [UInt64]

    /// - Parameters:
    ///   - memory: in any order; what overlaps or adjoins is one.
    ///   - columnLimit: the most columns to have, one at least. Memory with fewer pages has a column for each.
    public init(_ memory: some Sequence<MemoryRange>, columnLimit: Int) {
        var extents: [Extent] = []
        var pageCount: UInt64 = 0
        for range in memory.sorted().merged() {
            extents.append(Extent(range: range, firstPosition: pageCount))
            pageCount += range.pageCount
        }
        self.extents = extents
        self.pageCount = pageCount
        let columns = min(pageCount, UInt64(max(columnLimit, 1)))
        // Where there is no memory, there is no column, and only the end of the last.
        boundaries = (0...columns).map { $0.scaled(by: pageCount, over: max(columns, 1)) }
    }

    public var columnCount: Int { boundaries.count - 1 }

    /// The columns; there are none without memory.
    public var columns: Range<Int> { 0..<columnCount }

    /// Where memory ends and goes on further up.
    public var holes: [Hole] {
        zip(extents, extents.dropFirst()).map { Hole(below: $0.range.last, above: $1.range.start, $1.firstPosition) }
    }

    /// Addresses without memory, with memory on both sides.
    public struct Hole: Equatable, Sendable {
        /// The last byte of memory below it.
        public let below: GuestAddress
        /// The first byte of memory above it.
        public let above: GuestAddress
        /// Of the first page above it.
        public let position: UInt64

        init(below: GuestAddress, above: GuestAddress, _ position: UInt64) {
            self.below = below
            self.above = above
            self.position = position
        }
    }
}

extension UInt64 {
    /// It times `factor` over `divisor`, rounded down. It is to be no more than `divisor`, so that the result fits.
    fileprivate func scaled(by factor: UInt64, over divisor: UInt64) -> UInt64 {
        guard self < divisor else { return factor }
        return divisor.dividingFullWidth(multipliedFullWidth(by: factor)).quotient
    }
}
