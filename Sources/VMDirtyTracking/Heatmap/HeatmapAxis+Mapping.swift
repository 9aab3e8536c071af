import VMAddressSpace

/// From addresses to positions and columns, and back.
extension HeatmapAxis {
    /// The position of the page that `address` is in.
    /// - Returns: nil where there is no memory.
    public func position(of address: GuestAddress) -> UInt64? {
        let index = extents.partitioningIndex { address <= $0.range.last }
        guard index < extents.count, extents[index].range.contains(address) else { return nil }
        return extents[index].position(ofFrame: address.frame)
    }

    /// The first byte of the page at `position`.
    /// - Returns: nil past the end.
    public func address(at position: UInt64) -> GuestAddress? {
        let index = extents.partitioningIndex { position < $0.positions.upperBound }
        guard index < extents.count else { return nil }
        return GuestAddress(frame: extents[index].range.start.frame + (position - extents[index].firstPosition))
    }

    /// The column that the page at `position` is in.
    /// - Returns: nil past the end.
    public func column(at position: UInt64) -> Int? {
        guard position < pageCount else { return nil }
        return boundaries.partitioningIndex { position < $0 } - 1
    }

    /// The column that `address` is in.
    /// - Returns: nil where there is no memory.
    public func column(of address: GuestAddress) -> Int? {
        position(of: address).flatMap(column(at:))
    }

    /// The positions of a column's pages. There is one at least.
    /// - Parameter column: one that there is.
    public func positions(ofColumn column: Int) -> Range<UInt64> {
        boundaries[column]..<boundaries[column + 1]
    }

    /// How many pages of 4 KiB a column has.
    /// - Parameter column: one that there is.
    public func pageCount(ofColumn column: Int) -> UInt64 {
        boundaries[column + 1] - boundaries[column]
    }

    /// The memory of some columns that follow each other: one range for each extent that they have pages of.
    /// - Parameter columns: such as there are.
    public func memory(ofColumns columns: Range<Int>) -> [MemoryRange] {
        memory(at: boundaries[columns.lowerBound]..<boundaries[columns.upperBound])
    }

    /// The memory at some positions, in one range for each extent.
    func memory(at positions: Range<UInt64>) -> [MemoryRange] {
        var ranges: [MemoryRange] = []
        var index = extents.partitioningIndex { positions.lowerBound < $0.positions.upperBound }
        while index < extents.count {
            let extent = extents[index]
            let common = extent.positions.clamped(to: positions)
            guard !common.isEmpty else { break }
            // An extent's frames are as many as its positions.
            let first = extent.range.start.frame + (common.lowerBound - extent.firstPosition)
            guard let range = try? MemoryRange(frames: first..<(first + UInt64(common.count))) else { break }
            ranges.append(range)
            index += 1
        }
        return ranges
    }
}
