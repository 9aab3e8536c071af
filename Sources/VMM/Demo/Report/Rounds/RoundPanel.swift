import VMMigration

/// A chart with something for each round: a title with a key to what is drawn, and a scale from zero up.
struct RoundPanel: PicturePart {
    /// What is drawn, one over another.
    enum Series {
        /// Bars that stand on those before, where there are any.
        case bars(kind: String, name: String, values: [Double?])
        /// A level for each round, with steps between.
        case steps(kind: String, name: String, values: [Double?])
        /// The same number for all rounds.
        case limit(name: String, value: Double)
    }

    enum Unit {
        case pages, bytesPerSecond, seconds, percent
    }

    let title: String
    let unit: Unit
    let plotHeight: Double
    let series: [Series]
    /// What is shown where the pointer rests on a round; one for each.
    let tooltips: [String]

    private static let plotTop = 26.0
    /// More would make the picture large, and none of them could be pointed at.
    private static let tooltipLimit = 300

    var height: Double { Self.plotTop + plotHeight }
    private var bottom: Double { height }
    private var rounds: RoundScale { RoundScale(tooltips.count) }

    var rules: [PictureStyle.Rule] { Self.colours }

    static let dirty = PictureStyle.Pair(0xb8500c, 0xf2a65e)
    private static let colours = [
        PictureStyle.Rule(".picture .curve.dirty", "stroke", dirty),
        PictureStyle.Rule(".picture .curve.limit", "stroke", PictureStyle.Pair(0xb01e2f, 0xff8f8f)),
    ]

    // MARK: Scale

    private var largest: Double {
        var stacked = Array(repeating: 0.0, count: tooltips.count)
        var largest = 0.0
        for series in series {
            switch series {
            case .bars(_, _, let values):
                for (index, value) in values.enumerated() { stacked[index] += value ?? 0 }
            case .steps(_, _, let values): largest = max(largest, values.compactMap(\.self).max() ?? 0)
            case .limit(_, let value): largest = max(largest, value)
            }
        }
        return max(largest, stacked.max() ?? 0)
    }

    private var scale: LinearScale {
        let line = 0...plotHeight
        return switch unit {
        case .pages, .seconds: LinearScale(numbersUpTo: largest, line: line)
        case .bytesPerSecond: LinearScale(bytesUpTo: largest, line: line)
        case .percent: LinearScale(limit: 100, line: line)
        }
    }

    private func text(_ limit: Double) -> String {
        switch unit {
        case .pages: UInt64(limit.rounded()).grouped
        case .seconds: DurationText.rounded(.seconds(limit))
        case .bytesPerSecond: ByteText.rate(limit)
        case .percent: "\(limit.decimal(places: 0)) %"
        }
    }

    // MARK: Drawing

    func draw(_ markup: inout Markup) {
        let line = StackedPicture.line
        let scale = scale
        drawKey(&markup)
        markup.rectangle(
            "ground", x: line.lowerBound, y: Self.plotTop, width: line.upperBound - line.lowerBound, height: plotHeight)
        for quarter in 1...3 {
            let y = bottom - plotHeight * Double(quarter) / 4
            markup.line("grid", from: (line.lowerBound, y), to: (line.upperBound, y))
        }
        markup.words("faint end", x: line.lowerBound - 8, y: Self.plotTop + 9, text(scale.limit))
        markup.words("faint end", x: line.lowerBound - 8, y: bottom, "0")
        var bases = Array(repeating: 0.0, count: tooltips.count)
        for series in series {
            switch series {
            case .bars(let kind, _, let values): drawBars(&markup, kind, values, &bases, scale)
            case .steps(let kind, _, let values): drawSteps(&markup, kind, values, scale)
            case .limit(_, let value):
                let y = bottom - scale.length(value)
                markup.element(
                    "line",
                    [
                        "class": "curve limit", "x1": line.lowerBound, "y1": y, "x2": line.upperBound, "y2": y,
                        "stroke-dasharray": "6 4",
                    ])
            }
        }
        drawTooltips(&markup)
    }

    private func drawBars(
        _ markup: inout Markup, _ kind: String, _ values: [Double?], _ bases: inout [Double], _ scale: LinearScale
    ) {
        var outline = ""
        for (index, value) in values.enumerated() {
            guard let value, value > 0 else { continue }
            let bar = rounds.bar(index)
            let start = scale.length(bases[index])
            bases[index] += value
            // What is there at all can be seen.
            let end = max(scale.length(bases[index]), min(start + 1, plotHeight))
            outline +=
                "M\(bar.x.attributeText) \((bottom - start).attributeText)h\(bar.width.attributeText)"
                + "V\((bottom - end).attributeText)h-\(bar.width.attributeText)z"
        }
        if !outline.isEmpty { markup.element("path", ["class": kind, "d": outline]) }
    }

    private func drawSteps(_ markup: inout Markup, _ kind: String, _ values: [Double?], _ scale: LinearScale) {
        var outline = ""
        var isDown = false
        for (index, value) in values.enumerated() {
            guard let value else {
                isDown = false
                continue
            }
            let slot = rounds.slot(index)
            let y = (bottom - scale.length(value)).attributeText
            outline += isDown ? "V\(y)" : "M\(slot.lowerBound.attributeText) \(y)"
            outline += "H\(slot.upperBound.attributeText)"
            isDown = true
        }
        if !outline.isEmpty { markup.element("path", ["class": "curve " + kind, "d": outline]) }
    }

    private func drawTooltips(_ markup: inout Markup) {
        guard tooltips.count <= Self.tooltipLimit else { return }
        for (index, words) in tooltips.enumerated() {
            let slot = rounds.slot(index)
            markup.rectangle(
                "touch", x: slot.lowerBound, y: Self.plotTop, width: slot.upperBound - slot.lowerBound,
                height: plotHeight, tooltip: words)
        }
    }

    /// The title, and after it what is what.
    private func drawKey(_ markup: inout Markup) {
        var x = StackedPicture.line.lowerBound
        markup.words("", x: x, y: 14, title)
        x += StackedPicture.metrics.width(of: title) + 28
        for series in series {
            let name: String
            switch series {
            case .bars(let kind, let series, _):
                name = series
                if !name.isEmpty { markup.rectangle(kind, x: x, y: 4, width: 18, height: 11) }
            case .steps(let kind, let series, _):
                name = series
                if !name.isEmpty { markup.line("curve " + kind, from: (x, 10), to: (x + 18, 10)) }
            case .limit(let series, _):
                name = series
                markup.element(
                    "line",
                    ["class": "curve limit", "x1": x, "y1": 10.0, "x2": x + 18, "y2": 10.0, "stroke-dasharray": "6 4"])
            }
            guard !name.isEmpty else { continue }
            markup.words("faint", x: x + 26, y: 14, name)
            x += 26 + StackedPicture.metrics.width(of: name) + 24
        }
    }
}
