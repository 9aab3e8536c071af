import VMDirtyTracking

/// The words above the map, and the key to its colours.
extension HeatmapSVG {
    func drawHeading(_ markup: inout Markup) {
        let room = layout.workingSets.upperBound - 24
        let metrics = TextMetrics(fontSize: 22)
        markup.words("title", x: 24, y: 38, metrics.fitting(title, room) ?? "")
        let words = "\(caption.method) · \(intervals) · \(DurationText.rounded(heatmap.duration)) in all"
        markup.words("faint", x: 24, y: 62, HeatmapLayout.metrics.fitting(words, room) ?? "")
    }

    private var intervals: String {
        "\(UInt64(heatmap.totals.intervalCount).counted("interval")) of \(DurationText.rounded(caption.interval))"
    }

    /// What a column and a row stand for.
    private var scaleWords: String {
        guard let pages = heatmap.axis.columns.last.map(heatmap.axis.pageCount(ofColumn:)) else {
            return "The guest has no memory."
        }
        let size = ByteText.rounded(Double(pages) * 4096)
        let column = "\(size) (\(pages.counted("page"))) to a column"
        let merged = heatmap.rows.first?.intervalCount ?? 1
        let row = DurationText.rounded(caption.interval * merged) + (merged == 1 ? "" : " (\(merged) intervals)")
        return "Across: guest memory by address, \(column). Down: time, \(row) to a row."
    }

    func drawKey(_ markup: inout Markup) {
        let y = 88.0
        markup.words("", x: 24, y: y + 4, scaleWords)
        let words = "Colour: how much of a column’s memory a row wrote"
        markup.words("", x: 24, y: y + 32, words)
        markup.element("g", ["class": "key"]) { markup in
            let left = 40 + HeatmapLayout.metrics.width(of: words)
            let width = 24.0
            markup.rectangle("ground", x: left, y: y + 20, width: 44, height: 16)
            markup.words("faint middle", x: left + 22, y: y + 52, "nothing")
            let scale = left + 64
            for level in 1..<HeatLevel.count {
                let x = scale + width * Double(level - 1) + (level == HeatLevel.count - 1 ? 8 : 0)
                markup.rectangle("h\(level)", x: x, y: y + 20, width: width, height: 16)
            }
            for (share, words) in [(0, "trace"), (0.01, "1 %"), (0.1, "10 %"), (0.5, "half")] {
                let level = Double(HeatLevel(share: share).index)
                markup.words("faint middle", x: scale + width * (level - 0.5), y: y + 52, words)
            }
            let all = scale + width * (Double(HeatLevel.count) - 1.5) + 8
            markup.words("faint middle", x: all, y: y + 52, "all of it")
            guard !layout.columns.gaps.isEmpty else { return }
            drawGap(&markup, x: all + 60, width: 9, from: y + 18, to: y + 38)
            markup.words("faint", x: all + 78, y: y + 32, "no memory at the addresses between")
        }
    }
}
