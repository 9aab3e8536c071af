import VMAddressSpace
import VMDirtyBitmap
import VMHost
import VMMemory

/// Measures at what rate the memory of a machine is written, interval by interval, while it runs.
///
/// ```
/// var meter = try DirtyRateMeter(.dirtyBitmap, of: machine.dirtyTracker, machine.memory, regions: regions)
/// try meter.begin()
/// sleep(1)
/// let interval = try meter.endInterval()
/// ```
///
/// While it measures by a log, nobody else can harvest the machine's dirty pages.
///
/// Threads: one at a time, none of a vCPU.
public struct DirtyRateMeter: ~Copyable {
    /// As many as QEMU takes.
    public static let usualSampleSize = 512

    public let mode: DirtyRateMode
    public let regions: [DirtyRateRegion]
    private let tracker: DirtyTracker
    private let memory: GuestMemory
    private var round = DirtyRound()
    private var sampler: PageSampler
    private var generator = SystemRandomNumberGenerator()
    /// A bit for each page frame up to the last there was at the beginning.
    private let written: AtomicBitmap
    private var began = MonotonicTime.now
    /// When the interval in progress began: the one moment for a log; the middle of the time in which a sample was read.
    private var intervalStart = MonotonicTime.now
    private var vcpuCounts: [UInt64]?

    /// - Parameters:
    ///   - mode: the machine has to be made with rings for `dirtyRing`, and without for `dirtyBitmap`.
    ///   - tracker: of the machine; not tracking.
    ///   - memory: of the same machine.
    ///   - regions: what to give rates for, one by one. Sampling looks at nothing else.
    ///   - sampleSize: how many pages to look at of each GiB, to sample.
    /// - Throws: `.noMemory` where the host does not even have the address space for a bit for each page.
    public init(
        _ mode: DirtyRateMode, of tracker: DirtyTracker, _ memory: GuestMemory, regions: [DirtyRateRegion],
        sampleSize: Int = usualSampleSize
    ) throws(BitmapError) {
        let end = regions.flatMap(\.ranges).map(\.frames.upperBound).max() ?? 0
        written = try AtomicBitmap(byteCount: end, pageSize: 1)
        sampler = PageSampler(regions, pagesPerGibibyte: sampleSize)
        self.mode = mode
        self.tracker = tracker
        self.memory = memory
        self.regions = regions
    }

    /// Begins the first interval.
    /// - Throws: what `DirtyTracker.start(_:from:)` does. Sampling never fails.
    public mutating func begin() throws(DirtyTrackingError) {
        if mode == .pageSampling {
            _ = takeSample()
        } else {
            try tracker.start(mode == .dirtyRing ? .ring : nil)
            vcpuCounts = tracker.dirtyPageCounts
            intervalStart = .now
        }
        began = intervalStart
    }

    /// Ends an interval and begins the next.
    /// - Throws: what `DirtyTracker.harvest(_:into:)` does, and the interval goes on then.
    public mutating func endInterval() throws(DirtyTrackingError) -> DirtyRateInterval {
        mode == .pageSampling ? endSampledInterval() : try endTrackedInterval()
    }

    private mutating func endTrackedInterval() throws(DirtyTrackingError) -> DirtyRateInterval {
        let start = intervalStart
        let end = MonotonicTime.now
        try tracker.harvest(into: &round)
        intervalStart = end
        round.forEachRun { written.markDirty(pages: $0.frames) }
        let counts = tracker.dirtyPageCounts
        let vcpus = vcpuCounts.flatMap { before in counts.map { zip($0, before).map { $0 &- $1 } } }
        vcpuCounts = counts
        return DirtyRateInterval(
            start: start - began, end: end - began, pages: DirtyPageEstimate(counted: round.pageCount),
            regions: regions.map { region in
                DirtyPageEstimate(counted: region.ranges.reduce(0) { $0 + round.pageCount(in: $1) })
            }, vcpus: vcpus, workingSet: written.dirtyPageCount(), measuringTime: round.duration,
            kernelTime: round.kernelDuration)
    }

    private mutating func endSampledInterval() -> DirtyRateInterval {
        let start = intervalStart
        let endBegan = MonotonicTime.now
        let estimates = sampler.end(memory)
        let endDuration = MonotonicTime.now - endBegan
        let end = endBegan.advanced(by: endDuration / 2)
        let beginDuration = takeSample()
        return DirtyRateInterval(
            start: start - began, end: end - began,
            pages: estimates.reduce(DirtyPageEstimate(counted: 0), +), regions: estimates, vcpus: nil, workingSet: nil,
            measuringTime: endDuration + beginDuration, kernelTime: .zero)
    }

    /// - Returns: how long it took.
    private mutating func takeSample() -> Duration {
        let start = MonotonicTime.now
        sampler.begin(memory, using: &generator)
        let duration = MonotonicTime.now - start
        intervalStart = start.advanced(by: duration / 2)
        return duration
    }
}
