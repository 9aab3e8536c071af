import VMDirtyTracking

/// A measured interval as a line of JSON.
struct DirtyRateReport: Encodable {
    /// Pages of 4 KiB, and what that is a second. A page counts once in an interval.
    struct Rate: Encodable {
        let dirtyPages: Double
        let pagesPerSecond: Double
        let bytesPerSecond: Double
        /// Nil where pages were counted and not sampled.
        let standardErrorBytesPerSecond: Double?

        init(_ pages: DirtyPageEstimate, _ mode: DirtyRateMode, perSecond: (Double) -> Double) {
            dirtyPages = pages.pageCount
            pagesPerSecond = perSecond(pages.pageCount)
            bytesPerSecond = pagesPerSecond * 4096
            standardErrorBytesPerSecond = mode == .pageSampling ? perSecond(pages.standardError) * 4096 : nil
        }
    }

    struct Region: Encodable {
        struct Range: Encodable {
            /// The first byte and the last, in hexadecimal.
            let start: String
            let last: String
        }

        let name: String
        let ranges: [Range]
        let rate: Rate

        init(_ region: DirtyRateRegion, _ rate: Rate) {
            name = region.name
            ranges = region.ranges.map { Range(start: "\($0.start)", last: "\($0.last)") }
            self.rate = rate
        }
    }

    /// What a vCPU's ring had: nil without rings.
    struct VCPU: Encodable {
        let index: Int
        let rate: Rate
    }

    /// Times of vCPUs are of all of them together. What the host does not tell is left out.
    struct Cost: Encodable {
        let durationSeconds: Double
        let vcpuUserSeconds: Double?
        let vcpuSystemSeconds: Double?
        let vcpuWaitingSeconds: Double?
        let exits: UInt64?
        let pageFaults: UInt64?
        let fullRings: UInt64?
        let fullRingSeconds: Double?
        let pausedSeconds: Double

        init(_ cost: GuestCost) {
            durationSeconds = cost.duration.inSeconds
            vcpuUserSeconds = cost.usage.userTime?.inSeconds
            vcpuSystemSeconds = cost.usage.systemTime?.inSeconds
            vcpuWaitingSeconds = cost.usage.waitingTime?.inSeconds
            exits = cost.usage.exits
            pageFaults = cost.usage.pageFaults
            fullRings = cost.usage.fullRings
            fullRingSeconds = cost.usage.fullRingTime?.inSeconds
            pausedSeconds = cost.pausedTime.inSeconds
        }
    }

    let startSeconds: Double
    let endSeconds: Double
    let all: Rate
    let regions: [Region]
    let vcpus: [VCPU]?
    let workingSetPages: UInt64?
    /// To harvest or to sample.
    let measuringSeconds: Double
    let measuringKernelSeconds: Double?
    let cost: Cost

    init(_ measured: DirtyRateSession.Measured, _ mode: DirtyRateMode, _ regions: [DirtyRateRegion]) {
        let interval = measured.interval
        func rate(_ pages: DirtyPageEstimate) -> Rate { Rate(pages, mode, perSecond: interval.perSecond) }
        startSeconds = interval.start.inSeconds
        endSeconds = interval.end.inSeconds
        all = rate(interval.pages)
        self.regions = zip(regions, interval.regions).map { Region($0, rate($1)) }
        vcpus = interval.vcpus?.enumerated().map { VCPU(index: $0, rate: rate(DirtyPageEstimate(counted: $1))) }
        workingSetPages = interval.workingSet
        measuringSeconds = interval.measuringTime.inSeconds
        measuringKernelSeconds = mode == .pageSampling ? nil : interval.kernelTime.inSeconds
        cost = Cost(measured.cost)
    }
}

/// The last line of JSON.
struct DirtyRateSummaryReport: Encodable {
    struct Summary: Encodable {
        let mode: DirtyRateMode
        let intervals: UInt64
        let durationSeconds: Double
        /// Their `dirtyPages` are sums over the intervals; nil without any.
        let mean: DirtyRateReport.Rate?
        let regions: [DirtyRateReport.Region]
        let vcpus: [DirtyRateReport.VCPU]?
        let peakPagesPerSecond: Double
        let peakBytesPerSecond: Double
        /// Distinct pages.
        let workingSetPages: UInt64?
        let workingSetBytes: UInt64?
        let measuringSeconds: Double
        let measuringKernelSeconds: Double?
        /// Of the time before, in which nothing was measured.
        let baselineCost: DirtyRateReport.Cost?
        let cost: DirtyRateReport.Cost?
    }

    let summary: Summary

    init(_ session: borrowing DirtyRateSession, _ mode: DirtyRateMode) {
        let totals = session.totals
        func rate(_ pages: DirtyPageEstimate) -> DirtyRateReport.Rate {
            DirtyRateReport.Rate(pages, mode, perSecond: totals.perSecond)
        }
        summary = Summary(
            mode: mode, intervals: totals.intervalCount, durationSeconds: totals.duration.inSeconds,
            mean: totals.intervalCount > 0 ? rate(totals.pages) : nil,
            regions: zip(session.regions, totals.regions).map { .init($0, rate($1)) },
            vcpus: totals.vcpus?.enumerated().map { .init(index: $0, rate: rate(DirtyPageEstimate(counted: $1))) },
            peakPagesPerSecond: totals.peakPagesPerSecond, peakBytesPerSecond: totals.peakPagesPerSecond * 4096,
            workingSetPages: totals.workingSet, workingSetBytes: totals.workingSet.map { $0 << 12 },
            measuringSeconds: totals.measuringTime.inSeconds,
            measuringKernelSeconds: mode == .pageSampling ? nil : totals.kernelTime.inSeconds,
            baselineCost: session.baseline.map(DirtyRateReport.Cost.init),
            cost: session.cost.map(DirtyRateReport.Cost.init))
    }
}
