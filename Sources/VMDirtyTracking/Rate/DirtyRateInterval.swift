/// What was written in an interval. A page counts once, however often it was written in it.
public struct DirtyRateInterval: Sendable {
    /// When it began and ended, since the measurement began.
    public let start: Duration
    public let end: Duration
    /// In all memory, also what came after the meter was made; sampled, in the regions alone.
    public let pages: DirtyPageEstimate
    /// In each region of the meter's.
    public let regions: [DirtyPageEstimate]
    /// How often each vCPU was found to have written a page; nil where only rings could tell. A page counts again when another
    /// vCPU writes it as well, or the same one does after its ring was emptied; what the monitor writes is in none.
    public let vcpus: [UInt64]?
    /// How many distinct pages were written since the measurement began; nil where it samples.
    public let workingSet: UInt64?
    /// How long it took to find out, and how much of that were calls of the kernel that keep its log.
    public let measuringTime: Duration
    public let kernelTime: Duration

    public var duration: Duration { end - start }

    /// - Parameter pages: in this interval.
    public func perSecond(_ pages: Double) -> Double {
        let seconds = duration / .seconds(1)
        return seconds > 0 ? pages / seconds : 0
    }
}
