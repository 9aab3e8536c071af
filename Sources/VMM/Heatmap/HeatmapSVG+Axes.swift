import VMDirtyTracking

/// Addresses and names above the map, times to its left.
extension HeatmapSVG {
    func drawAddresses(_ markup: inout Markup) {
        for label in AddressTicks(layout.columns, HeatmapLayout.metrics, gap: 14).labels {
            markup.line("tick", from: (label.anchor, layout.top - 6), to: (label.anchor, layout.top))
            markup.words("middle", x: label.centre, y: layout.labelLine, label.text)
        }
    }

    /// A bracket over each region's memory, with its name where that fits.
    func drawRegions(_ markup: inout Markup) {
        let y = layout.labelLine - 22
        var names = LabelRow(in: layout.columns.line, HeatmapLayout.metrics, gap: 8)
        for region in caption.regions {
            for extent in extents(of: region) {
                let width = extent.upperBound - extent.lowerBound
                guard width >= 2 else { continue }
                markup.element("g") { markup in
                    markup.tooltip("\(region.name): \(region.range.start) to \(region.range.last)")
                    markup.rectangle("bar", x: extent.lowerBound + 0.5, y: y, width: width - 1, height: 3)
                }
                if let name = names.metrics.fitting(region.name, width - 8) {
                    names.place(name, at: extent.lowerBound + width / 2)
                }
            }
        }
        for name in names.labels { markup.words("faint middle", x: name.centre, y: y - 5, name.text) }
    }

    /// Where a region's memory is drawn, gaps left out.
    private func extents(of region: HeatmapCaption.Region) -> [ClosedRange<Double>] {
        layout.columns.axis.extents.compactMap { extent in
            guard let common = extent.range.intersection(region.range) else { return nil }
            let first = extent.firstPosition + (common.start.frame - extent.range.start.frame)
            let start = layout.columns.x(at: first)
            let end = layout.columns.end(at: first + common.pageCount)
            return start <= end ? start...end : nil
        }
    }

    func drawTimes(_ markup: inout Markup) {
        let total = heatmap.duration / .seconds(1)
        guard total > 0 else { return }
        let step = TickSteps.seconds(atLeast: total * 36 / (layout.bottom - layout.top))
        var last = -Double.infinity
        for tick in 0... {
            let time = Duration.seconds(step * Double(tick))
            guard time <= heatmap.duration else { break }
            let y = layout.y(at: time, heatmap.rows)
            // Rows may have taken longer or shorter, and labels with them.
            guard y - last >= 16 else { continue }
            last = y
            markup.line("tick", from: (layout.left - 6, y), to: (layout.left - 1, y))
            markup.words("end", x: layout.left - 10, y: y + 4, DurationText.rounded(time))
        }
    }
}
