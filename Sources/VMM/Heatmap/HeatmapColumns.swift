import VMAddressSpace
import VMDirtyTracking

/// Where the columns of a heat map are drawn: from left to right, with gaps where memory has holes.
struct HeatmapColumns {
    /// Columns without a gap between them.
    struct Segment {
        let columns: Range<Int>
        /// From this position on, memory is in this segment or one after it.
        let firstPosition: UInt64
        let x: Double
        let width: Double

        var end: Double { x + width }

        /// - Parameter unit: the width of a column.
        func x(ofColumn column: Int, _ unit: Double) -> Double { x + unit * Double(column - columns.lowerBound) }
    }

    /// A gap between two segments.
    struct Gap {
        let x: Double
        let width: Double
        /// What of memory is not there. Several holes in one column share a gap.
        let holes: [HeatmapAxis.Hole]
    }

    let axis: HeatmapAxis
    /// From the first column to the last.
    let line: ClosedRange<Double>
    /// Of one column.
    let unit: Double
    let segments: [Segment]
    let gaps: [Gap]

    /// - Parameters:
    ///   - width: of all columns together.
    ///   - gapWidth: of a gap, a whole number. With many, they are narrower, and add a fifth of the width at most.
    init(_ axis: HeatmapAxis, from left: Double, width: Double, gapWidth: Double) {
        let breaks = Self.breaks(axis)
        let gapWidth = min(gapWidth, (width / 5 / Double(max(breaks.count, 1))).rounded(.down))
        let unit = width / Double(max(axis.columnCount, 1))
        var segments: [Segment] = []
        var gaps: [Gap] = []
        var first = 0
        var position: UInt64 = 0
        var x = left
        for (column, holes) in breaks + [(axis.columnCount, [])] {
            let width = unit * Double(column - first)
            segments.append(Segment(columns: first..<column, firstPosition: position, x: x, width: width))
            if let hole = holes.last {
                gaps.append(Gap(x: x + width, width: gapWidth, holes: holes))
                position = hole.position
            }
            x += width + gapWidth
            first = column
        }
        self.axis = axis
        line = left...(left + width + gapWidth * Double(breaks.count))
        self.unit = unit
        self.segments = segments
        self.gaps = gaps
    }

    /// Where the page at `position` begins.
    func x(at position: UInt64) -> Double {
        let index = segments.lastIndex { $0.firstPosition <= position } ?? 0
        let segment = segments[index]
        let place = Double(position) / Double(max(axis.pageCount, 1)) * Double(axis.columnCount)
        return min(max(segment.x + (place - Double(segment.columns.lowerBound)) * unit, segment.x), segment.end)
    }

    /// Where the page before `position` ends.
    func end(at position: UInt64) -> Double {
        guard position > 0 else { return line.lowerBound }
        let index = segments.lastIndex { $0.firstPosition < position } ?? 0
        let segment = segments[index]
        let place = Double(position) / Double(max(axis.pageCount, 1)) * Double(axis.columnCount)
        return min(max(segment.x + (place - Double(segment.columns.lowerBound)) * unit, segment.x), segment.end)
    }

    /// The holes, by the column they are drawn before: the one that begins nearest. Those at the ends are not drawn.
    private static func breaks(_ axis: HeatmapAxis) -> [(column: Int, holes: [HeatmapAxis.Hole])] {
        var breaks: [(column: Int, holes: [HeatmapAxis.Hole])] = []
        for hole in axis.holes {
            guard let column = axis.column(at: hole.position) else { continue }
            let positions = axis.positions(ofColumn: column)
            let isNearEnd = hole.position - positions.lowerBound > positions.upperBound - hole.position
            let nearest = isNearEnd ? column + 1 : column
            guard nearest > 0, nearest < axis.columnCount else { continue }
            if breaks.last?.column == nearest {
                breaks[breaks.count - 1].holes.append(hole)
            } else {
                breaks.append((nearest, [hole]))
            }
        }
        return breaks
    }
}
