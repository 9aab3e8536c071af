import VMDirtyTracking

/// What a heat map comes to, as a few named numbers.
struct HeatmapSummary {
    struct Item {
        let name: String
        let value: String
        /// What belongs to the value; may be empty.
        let note: String
    }

    let items: [Item]

    init(_ heatmap: Heatmap) {
        let totals = heatmap.totals
        let memory = heatmap.axis.pageCount
        let share = memory > 0 ? Double(totals.workingSet) / Double(memory) * 100 : 0
        var items = [
            Item(
                name: "Written", value: Self.bytes(totals.pageCount),
                note: "\(totals.pageCount.counted("page")) of 4 KiB"),
            Item(
                name: "Mean rate", value: ByteText.rate(heatmap.meanBytesPerSecond), note: "over \(Self.time(heatmap))"),
            Item(
                name: "Peak rate", value: ByteText.rate(totals.peakBytesPerSecond), note: "the most of any interval"),
            Item(
                name: "Working set", value: Self.bytes(totals.workingSet),
                note: "\(share.threeDigits) % of \(Self.bytes(memory))"),
            Item(
                name: "Harvest", value: Self.mean(totals),
                note: "per interval; \(DurationText.rounded(totals.longestHarvest)) at most"),
        ]
        if totals.elsewhere > 0 {
            items.append(
                Item(name: "Elsewhere", value: Self.bytes(totals.elsewhere), note: "memory not on this map"))
        }
        self.items = items
    }

    private static func bytes(_ pages: UInt64) -> String { ByteText.rounded(Double(pages) * 4096) }

    private static func time(_ heatmap: Heatmap) -> String {
        "\(DurationText.rounded(heatmap.duration)), \(UInt64(heatmap.totals.intervalCount).counted("interval"))"
    }

    private static func mean(_ totals: HeatmapTotals) -> String {
        DurationText.rounded(totals.intervalCount > 0 ? totals.harvestTime / totals.intervalCount : .zero)
    }
}
