import VMAddressSpace
import VMDirtyTracking

/// Round addresses along the columns of a heat map, as many as can be read.
struct AddressTicks {
    /// A tick is at each label's anchor.
    let labels: [LabelRow.Label]

    /// - Parameters:
    ///   - metrics: of the labels, in the unit of `columns`.
    ///   - gap: what is free between labels, at least.
    init(_ columns: HeatmapColumns, _ metrics: TextMetrics, gap: Double) {
        var row = LabelRow(in: columns.line, metrics, gap: gap)
        let axis = columns.axis
        guard let first = axis.extents.first, let last = axis.extents.last else {
            labels = []
            return
        }
        row.place(Self.text(first.range.start), at: columns.line.lowerBound)
        let starts = Self.placeHoles(&row, columns).union([first.firstPosition])
        let end = Self.end(of: last, isStartLabelled: starts.contains(last.firstPosition))
        row.place(end, at: columns.line.upperBound)

        let room = metrics.width(of: "+512 MiB") + gap
        let pagesPerUnit = Double(axis.pageCount) / Double(axis.columnCount) / columns.unit
        let step = max(4096, TickSteps.binary(atLeast: room * pagesPerUnit * 4096))
        for extent in axis.extents {
            Self.place(&row, extent, every: step, columns, isStartLabelled: starts.contains(extent.firstPosition))
        }
        labels = row.labels.sorted { $0.extent.lowerBound < $1.extent.lowerBound }
    }

    /// Labels where memory goes on after a hole, the largest part of it first, and where it ends before that.
    /// - Returns: the positions at which it is now said to go on.
    private static func placeHoles(_ row: inout LabelRow, _ columns: HeatmapColumns) -> Set<UInt64> {
        func size(_ segment: HeatmapColumns.Segment) -> Int { segment.columns.count }
        var starts: Set<UInt64> = []
        let order = columns.gaps.indices.sorted { size(columns.segments[$0 + 1]) > size(columns.segments[$1 + 1]) }
        for index in order {
            let gap = columns.gaps[index]
            guard let below = gap.holes.first?.below, let above = gap.holes.last?.above else { continue }
            // A little more than half, so that rounding does not make it less.
            let margin = max(0, (row.gap - gap.width) / 2) + 0.01
            if row.place(text(above), at: gap.x + gap.width, .start, distance: margin) {
                starts.insert(columns.segments[index + 1].firstPosition)
            }
            if let end = below.advanced(byBytes: 1) { row.place(text(end), at: gap.x, .end, distance: margin) }
        }
        return starts
    }

    /// Labels the multiples of `step` in an extent; or, where those would take too many digits, what is so far up from
    /// its start.
    private static func place(
        _ row: inout LabelRow, _ extent: HeatmapAxis.Extent, every step: UInt64, _ columns: HeatmapColumns,
        isStartLabelled: Bool
    ) {
        let start = extent.range.start
        let isFar = ByteText.exact(extent.range.last.alignedDown(to: step).rawValue) == nil
        guard !isFar || isStartLabelled else { return }
        var next = isFar ? start.advanced(byBytes: step) : start.alignedUp(to: step)
        while let address = next, address <= extent.range.last {
            let offset = address.rawValue - start.rawValue
            let text = isFar ? "+" + (ByteText.exact(offset) ?? "") : text(address)
            row.place(text, at: columns.x(at: extent.firstPosition + offset / 4096))
            next = address.advanced(byBytes: step)
        }
    }

    /// As an address, or as what it is further up than the start.
    private static func end(of extent: HeatmapAxis.Extent, isStartLabelled: Bool) -> String {
        let end = extent.range.endExclusive.map { ByteText.exact($0.rawValue) } ?? "16 EiB"
        let size = isStartLabelled ? ByteText.exact(extent.range.count).map { "+" + $0 } : nil
        return end ?? size ?? "\(extent.range.last)"
    }

    /// "3 GiB", and in hexadecimal what would need more digits than that.
    static func text(_ address: GuestAddress) -> String {
        address.rawValue == 0 ? "0" : ByteText.exact(address.rawValue) ?? "\(address)"
    }
}
