/// Several intervals, one after another.
public struct DirtyRateTotals: Sendable {
    public private(set) var intervalCount: UInt64 = 0
    /// Of all of them.
    public private(set) var duration: Duration = .zero
    /// The sums of what they had: a page counts once in each.
    public private(set) var pages = DirtyPageEstimate(counted: 0)
    public private(set) var regions: [DirtyPageEstimate] = []
    public private(set) var vcpus: [UInt64]?
    /// As of the last.
    public private(set) var workingSet: UInt64?
    public private(set) var measuringTime: Duration = .zero
    public private(set) var kernelTime: Duration = .zero
    /// The highest rate of an interval, and in which. One at the end that is less than half as long as the longest does not
    /// count.
    public private(set) var peakPagesPerSecond: Double = 0

    private var longest: Duration = .zero

    public init() {}

    public mutating func add(_ interval: DirtyRateInterval) {
        intervalCount += 1
        duration += interval.duration
        pages = pages + interval.pages
        regions = regions.isEmpty ? interval.regions : zip(regions, interval.regions).map { $0 + $1 }
        vcpus = vcpus.map { zip($0, interval.vcpus ?? []).map { $0 &+ $1 } } ?? interval.vcpus
        workingSet = interval.workingSet
        measuringTime += interval.measuringTime
        kernelTime += interval.kernelTime
        longest = max(longest, interval.duration)
        if interval.duration * 2 >= longest {
            peakPagesPerSecond = max(peakPagesPerSecond, interval.perSecond(interval.pages.pageCount))
        }
    }

    /// - Parameter pages: of all intervals.
    public func perSecond(_ pages: Double) -> Double {
        let seconds = duration / .seconds(1)
        return seconds > 0 ? pages / seconds : 0
    }
}
