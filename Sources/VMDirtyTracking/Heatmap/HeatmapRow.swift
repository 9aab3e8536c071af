/// A row of a heat map: one sampling interval, or several that follow each other and were merged.
public struct HeatmapRow: Equatable, Sendable {
    /// Since the recording began.
    public internal(set) var start: Duration
    public internal(set) var end: Duration
    /// How many sampling intervals it stands for.
    public internal(set) var intervalCount: Int
    /// Pages written, by column. A page counts once for each interval in which it was.
    public internal(set) var pages: [UInt64]
    /// Pages written, the sum of `pages`.
    public internal(set) var pageCount: UInt64
    /// Pages written that are none of the axis's memory.
    public internal(set) var elsewhere: UInt64
    /// Distinct pages written since the recording began, at the row's end.
    public internal(set) var workingSet: UInt64
    /// Distinct pages written in the span of time (`Heatmap.span`) that the row belongs to; of several, the most.
    /// Nil while that span is not over.
    public internal(set) var recentWorkingSet: UInt64?

    public var duration: Duration { end - start }

    /// Bytes of the pages written over time; zero for a row that took no time.
    public var bytesPerSecond: Double {
        let seconds = duration / .seconds(1)
        return seconds > 0 ? Double(pageCount) * 4096 / seconds : 0
    }

    /// Takes in the row that follows. No count is lost.
    mutating func merge(_ next: HeatmapRow) {
        end = next.end
        intervalCount += next.intervalCount
        for column in pages.indices { pages[column] += next.pages[column] }
        pageCount += next.pageCount
        elsewhere.addSaturating(next.elsewhere)
        workingSet = next.workingSet
        recentWorkingSet = [recentWorkingSet, next.recentWorkingSet].compactMap(\.self).max()
    }
}

extension UInt64 {
    /// Adds, and stays at the most that there is. For pages elsewhere, of which no memory limits the number.
    mutating func addSaturating(_ other: UInt64) {
        let (sum, overflow) = addingReportingOverflow(other)
        self = overflow ? .max : sum
    }
}
