import VMDirtyTracking

/// What belongs to rows: how much each wrote, and how many distinct pages it had come to.
extension HeatmapSVG {
    func drawRates(_ markup: inout Markup) {
        let scale = LinearScale(
            bytesUpTo: heatmap.rows.map(\.bytesPerSecond).max() ?? 0, line: layout.rates)
        drawPanel(&markup, "written per second", ByteText.rate(scale.limit), layout.rates)
        var outline = ""
        for (index, row) in heatmap.rows.enumerated() where row.pageCount > 0 {
            let length = max(0.5, scale.length(row.bytesPerSecond)).attributeText
            let inset = layout.rowHeight >= 8 ? 0.5 : 0
            let y = (layout.y(ofRow: index) + inset).attributeText
            let height = (layout.rowHeight - 2 * inset).attributeText
            outline += "M\(layout.rates.lowerBound.attributeText) \(y)h\(length)v\(height)h-\(length)z"
        }
        if !outline.isEmpty { markup.element("path", ["class": "bar", "d": outline, "shape-rendering": "crispEdges"]) }
    }

    /// Distinct pages: the curve, all since the beginning; the area, those of a span of time.
    func drawWorkingSets(_ markup: inout Markup) {
        let scale = LinearScale(
            bytesUpTo: Double(heatmap.totals.workingSet) * 4096, line: layout.workingSets)
        drawPanel(&markup, "working set", ByteText.rounded(scale.limit), layout.workingSets)
        guard !heatmap.rows.isEmpty else { return }
        drawRecent(&markup, scale)
        var curve = "M\(layout.workingSets.lowerBound.attributeText) \(layout.top.attributeText)"
        for (index, row) in heatmap.rows.enumerated() {
            let x = scale(Double(row.workingSet) * 4096)
            curve += "L\(x.attributeText) \(layout.y(ofRow: index + 1).attributeText)"
        }
        markup.element("path", ["class": "curve", "d": curve])

        let y = layout.bottom + 26
        let left = layout.rates.lowerBound
        markup.line("curve", from: (left, y - 4), to: (left + 18, y - 4))
        markup.words("faint", x: left + 26, y: y, "distinct pages written so far")
        guard heatmap.rows.contains(where: { $0.recentWorkingSet != nil }) else { return }
        markup.rectangle("area", x: left, y: y + 11, width: 18, height: 12)
        markup.words("faint", x: left + 26, y: y + 21, "distinct pages in \(DurationText.rounded(heatmap.span))")
    }

    private func drawRecent(_ markup: inout Markup, _ scale: LinearScale) {
        var steps = ""
        for (index, row) in heatmap.rows.enumerated() {
            guard let recent = row.recentWorkingSet, recent > 0 else { continue }
            let length = scale.length(Double(recent) * 4096).attributeText
            let y = layout.y(ofRow: index).attributeText
            let height = layout.rowHeight.attributeText
            steps += "M\(layout.workingSets.lowerBound.attributeText) \(y)h\(length)v\(height)h-\(length)z"
        }
        guard !steps.isEmpty else { return }
        markup.element("path", ["class": "area", "d": steps, "shape-rendering": "crispEdges"])
    }

    /// The ground of a panel, what it shows, and its scale.
    private func drawPanel(_ markup: inout Markup, _ name: String, _ limit: String, _ line: ClosedRange<Double>) {
        let width = line.upperBound - line.lowerBound
        let height = layout.bottom - layout.top
        markup.rectangle("ground", x: line.lowerBound, y: layout.top, width: width, height: height)
        for quarter in 1...3 {
            let x = line.lowerBound + width * Double(quarter) / 4
            markup.line("grid", from: (x, layout.top), to: (x, layout.bottom))
        }
        markup.words("", x: line.lowerBound, y: layout.labelLine - 18, name)
        markup.words("faint", x: line.lowerBound, y: layout.labelLine, "0")
        markup.words("faint end", x: line.upperBound, y: layout.labelLine, limit)
    }

    /// A row's numbers, where the pointer rests on it.
    func drawRowTooltips(_ markup: inout Markup) {
        for (index, row) in heatmap.rows.enumerated() {
            let from = DurationText.rounded(row.start)
            let words =
                "\(from) to \(DurationText.rounded(row.end)): \(row.pageCount.counted("page")) written, "
                + "\(ByteText.rate(row.bytesPerSecond)); "
                + "\(ByteText.rounded(Double(row.workingSet) * 4096)) distinct so far"
            markup.rectangle(
                "touch", x: layout.left, y: layout.y(ofRow: index),
                width: layout.workingSets.upperBound - layout.left, height: layout.rowHeight, tooltip: words)
        }
    }
}
