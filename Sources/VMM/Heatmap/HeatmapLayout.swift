import VMDirtyTracking

/// Where the parts of a heat map are in a picture of it, in the picture's units.
struct HeatmapLayout {
    /// More columns than this would be narrower than a unit, and not all be seen.
    static let columnLimit = 1024
    static let fontSize = 12.0
    static let metrics = TextMetrics(fontSize: fontSize)

    /// The map's columns; their line is the map from left to right.
    let columns: HeatmapColumns
    /// The bars of what each row wrote, and the curves of distinct pages, from left to right.
    let rates: ClosedRange<Double>
    let workingSets: ClosedRange<Double>
    let width: Double

    /// Of the map.
    let top: Double
    let rowHeight: Double
    let rowCount: Int

    init(_ heatmap: Heatmap, hasRegions: Bool) {
        columns = HeatmapColumns(heatmap.axis, from: 74, width: Double(Self.columnLimit), gapWidth: 9)
        let right = columns.line.upperBound
        rates = (right + 24)...(right + 144)
        workingSets = (right + 168)...(right + 278)
        width = right + 302
        top = hasRegions ? 220 : 192
        rowCount = heatmap.rows.count
        rowHeight = Self.rowHeight(rowCount)
    }

    /// For a picture that a map is a part of.
    init(_ columns: HeatmapColumns, rates: ClosedRange<Double>, width: Double, top: Double, rowCount: Int) {
        self.columns = columns
        self.rates = rates
        workingSets = rates.upperBound...rates.upperBound
        self.width = width
        self.top = top
        self.rowCount = rowCount
        rowHeight = Self.rowHeight(rowCount)
    }

    private static func rowHeight(_ rowCount: Int) -> Double {
        rowCount == 0 ? 0 : max(2, min(24, (480 / Double(rowCount)).rounded()))
    }

    var left: Double { columns.line.lowerBound }
    var right: Double { columns.line.upperBound }
    var bottom: Double { top + max(rowHeight * Double(rowCount), 24) }
    /// The base line of the labels above the map.
    var labelLine: Double { top - 12 }
    /// Of the bars of column totals.
    var totals: ClosedRange<Double> { (bottom + 14)...(bottom + 62) }
    /// Of the numbers beneath all.
    var footer: Double { bottom + 104 }
    var height: Double { footer + 66 }

    /// The upper edge of a row; of the one after the last, the lower edge of the map's rows.
    func y(ofRow row: Int) -> Double { top + rowHeight * Double(row) }

    /// Where a time is. Rows may stand for times of different lengths.
    func y(at time: Duration, _ rows: [HeatmapRow]) -> Double {
        guard let row = rows.firstIndex(where: { time <= $0.end }) else { return y(ofRow: rows.count) }
        let duration = rows[row].duration
        let share = duration > .zero ? (time - rows[row].start) / duration : 0
        return y(ofRow: row) + rowHeight * max(0, share)
    }
}
