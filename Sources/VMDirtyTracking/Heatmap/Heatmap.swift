/// Which guest memory was written when: memory across, time down. A plain value; `HeatmapRecorder` makes it.
public struct Heatmap: Equatable, Sendable {
    public let axis: HeatmapAxis
    /// How long pages count as written recently, at least: spans end with the first interval that takes them there.
    public let span: Duration
    /// In the order of time, each beginning where the one before ends.
    public internal(set) var rows: [HeatmapRow] = []
    /// Pages written over all the time, by column.
    public internal(set) var columnTotals: [UInt64]
    public internal(set) var totals = HeatmapTotals()

    /// Without rows.
    public init(axis: HeatmapAxis, span: Duration = .seconds(1)) {
        self.axis = axis
        self.span = span
        columnTotals = Array(repeating: 0, count: axis.columnCount)
    }

    /// From the beginning of the recording to the last row's end.
    public var duration: Duration { rows.last?.end ?? .zero }

    /// Bytes of the pages written over all the time; zero without any.
    public var meanBytesPerSecond: Double {
        let seconds = duration / .seconds(1)
        return seconds > 0 ? Double(totals.pageCount) * 4096 / seconds : 0
    }
}

/// What a recording comes to.
public struct HeatmapTotals: Equatable, Sendable {
    /// Sampling intervals.
    public internal(set) var intervalCount = 0
    /// Pages written; a page counts once for each interval in which it was.
    public internal(set) var pageCount: UInt64 = 0
    /// Pages written that are none of the axis's memory, such as memory added while recording.
    public internal(set) var elsewhere: UInt64 = 0
    /// Distinct pages written.
    public internal(set) var workingSet: UInt64 = 0
    /// The most written in an interval.
    public internal(set) var peakBytesPerSecond: Double = 0
    /// The time it took to learn which pages were written, over all intervals and at the most.
    public internal(set) var harvestTime: Duration = .zero
    public internal(set) var longestHarvest: Duration = .zero
}
