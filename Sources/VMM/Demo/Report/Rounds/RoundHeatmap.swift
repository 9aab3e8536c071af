import VMDirtyTracking

/// The memory that each round found written: addresses across, rounds down.
struct RoundHeatmap: PicturePart {
    private let picture: HeatmapSVG

    private static let mapWidth = 700.0
    private static let rates = 804.0...936.0
    private static let top = 112.0

    /// - Parameter heatmap: a row for each round from the second on.
    init(_ heatmap: Heatmap, guest: String, method: String) {
        let columns = HeatmapColumns(
            heatmap.axis, from: StackedPicture.line.lowerBound, width: Self.mapWidth - 9, gapWidth: 9)
        let layout = HeatmapLayout(
            columns, rates: Self.rates, width: StackedPicture.width, top: Self.top, rowCount: heatmap.rows.count)
        picture = HeatmapSVG(
            heatmap, HeatmapCaption(guest: guest, method: method, interval: .zero), layout)
    }

    var height: Double { picture.layout.bottom }
    var rules: [PictureStyle.Rule] { HeatmapColours.rules }

    func draw(_ markup: inout Markup) {
        drawKey(&markup)
        picture.drawCells(&markup)
        picture.drawGaps(&markup)
        picture.drawAddresses(&markup)
        picture.drawRates(&markup)
        picture.drawRowTooltips(&markup)
        drawRounds(&markup)
    }

    private func drawRounds(_ markup: inout Markup) {
        let layout = picture.layout
        var next = 1
        var last = -Double.infinity
        for (index, row) in picture.heatmap.rows.enumerated() {
            let y = layout.y(ofRow: index) + layout.rowHeight / 2
            if y - last >= 16 {
                markup.words("end", x: layout.left - 10, y: y + 4, "round \(next)")
                last = y
            }
            next += row.intervalCount
        }
        if picture.heatmap.rows.isEmpty {
            markup.words("faint", x: layout.left + 10, y: layout.top + 16, "There was no round after the first.")
        }
    }

    /// What colours mean.
    private func drawKey(_ markup: inout Markup) {
        let left = StackedPicture.line.lowerBound
        let size = picture.heatmap.axis.columns.last.map { picture.heatmap.axis.pageCount(ofColumn: $0) } ?? 0
        markup.words(
            "", x: left, y: 14,
            "Memory written before each round, which sends it: "
                + "\(size.counted("page")) to a column. Colour: how much of it was")
        markup.element("g", ["class": "key"]) { markup in
            let width = 20.0
            markup.rectangle("ground", x: left, y: 26, width: 40, height: 14)
            markup.words("faint middle", x: left + 20, y: 55, "none")
            let scale = left + 60
            for level in 1..<HeatLevel.count {
                let x = scale + width * Double(level - 1) + (level == HeatLevel.count - 1 ? 8 : 0)
                markup.rectangle("h\(level)", x: x, y: 26, width: width, height: 14)
            }
            for (share, words) in [(0, "trace"), (0.01, "1 %"), (0.1, "10 %"), (0.5, "half")] {
                let level = Double(HeatLevel(share: share).index)
                markup.words("faint middle", x: scale + width * (level - 0.5), y: 55, words)
            }
            markup.words(
                "faint middle", x: scale + width * (Double(HeatLevel.count) - 1.5) + 8, y: 55, "all")
        }
    }
}
