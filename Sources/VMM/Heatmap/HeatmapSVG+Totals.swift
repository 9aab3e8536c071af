import VMAddressSpace
import VMDirtyTracking

/// What is beneath the map: each column's total, and the recording's.
extension HeatmapSVG {
    func drawColumnTotals(_ markup: inout Markup) {
        let area = layout.totals
        let height = area.upperBound - area.lowerBound
        let most = Double(heatmap.columnTotals.max() ?? 0) * 4096
        let scale = LinearScale(bytesUpTo: most, line: 0...height)
        for segment in layout.columns.segments {
            markup.rectangle("ground", x: segment.x, y: area.lowerBound, width: segment.width, height: height)
            drawSilhouette(&markup, segment, scale)
            for column in segment.columns where heatmap.columnTotals[column] > 0 {
                markup.rectangle(
                    "touch", x: segment.x(ofColumn: column, layout.columns.unit), y: area.lowerBound,
                    width: layout.columns.unit, height: height,
                    tooltip: "\(memory(of: column)): \(heatmap.columnTotals[column].counted("page")) written")
            }
        }
        markup.words("faint end", x: layout.left - 10, y: area.lowerBound + 9, ByteText.rounded(scale.limit))
        markup.words("faint end", x: layout.left - 10, y: area.upperBound, "0")
        markup.words("faint", x: layout.left, y: area.upperBound + 16, "written in each column, over all the time")
    }

    /// The bars of a segment as one shape: between bars of their own, seams would show.
    private func drawSilhouette(_ markup: inout Markup, _ segment: HeatmapColumns.Segment, _ scale: LinearScale) {
        let base = layout.totals.upperBound
        var outline = "M\(segment.x.attributeText) \(base.attributeText)"
        var last = 0.0
        for column in segment.columns {
            let pages = heatmap.columnTotals[column]
            let length = pages == 0 ? 0 : max(1, scale.length(Double(pages) * 4096))
            guard length != last else { continue }
            let x = segment.x(ofColumn: column, layout.columns.unit)
            outline += "H\(x.attributeText)V\((base - length).attributeText)"
            last = length
        }
        outline += "H\(segment.end.attributeText)V\(base.attributeText)z"
        markup.element("path", ["class": "bar", "d": outline])
    }

    private func memory(of column: Int) -> String {
        heatmap.axis.memory(ofColumns: column..<(column + 1))
            .map { "\($0.start) to \($0.last)" }.joined(separator: ", ")
    }

    func drawNumbers(_ markup: inout Markup) {
        let items = HeatmapSummary(heatmap).items
        let width = (layout.width - 48) / Double(items.count)
        markup.line("grid", from: (24, layout.footer - 12), to: (layout.width - 24, layout.footer - 12))
        for (index, item) in items.enumerated() {
            let x = 24 + width * Double(index)
            markup.words("faint", x: x, y: layout.footer + 8, item.name)
            markup.words("value", x: x, y: layout.footer + 30, item.value)
            markup.words(
                "faint", x: x, y: layout.footer + 48, HeatmapLayout.metrics.fitting(item.note, width - 8) ?? "")
        }
    }
}
