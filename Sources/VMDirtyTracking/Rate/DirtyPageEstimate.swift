/// How many pages were written: counted, or estimated by looking at some.
public struct DirtyPageEstimate: Hashable, Sendable {
    public var pageCount: Double
    /// The square of the standard error, which can be expected of `pageCount`; 0 where pages were counted.
    var variance: Double

    /// - Parameter counted: how many pages, for certain.
    public init(counted: UInt64) {
        pageCount = Double(counted)
        variance = 0
    }

    /// From a sample, in which each page was as likely to be as any other.
    ///
    /// The number of pages is unbiased. The variance is that of drawing without putting back, of which there is none where
    /// all pages were looked at. Its share of written pages is that of the sample with two pages of either kind added (as
    /// Agresti and Coull do, 1998): a sample in which none has changed, or all have, does not show that the error is zero.
    /// - Parameters:
    ///   - changed: how many pages of the sample had changed.
    ///   - sampled: how many pages it had. Of none, nothing is known: half the pages, within half of them.
    ///   - pages: how many there are, at least `sampled`.
    public init(changed: Int, of sampled: Int, among pages: UInt64) {
        let (all, size) = (Double(pages), Double(sampled))
        guard sampled > 0 else {
            pageCount = all / 2
            variance = all * all / 4
            return
        }
        pageCount = all * Double(changed) / size
        let share = (Double(changed) + 2) / (size + 4)
        variance = all * max(all - size, 0) / max(size - 1, 1) * share * (1 - share)
    }

    /// By how much `pageCount` can be expected to be off: it is not by more in two of three cases, nor by more than twice as
    /// much in nineteen of twenty.
    public var standardError: Double { variance.squareRoot() }

    /// Of both, where one says nothing about the other.
    public static func + (left: DirtyPageEstimate, right: DirtyPageEstimate) -> DirtyPageEstimate {
        var sum = left
        sum.pageCount += right.pageCount
        sum.variance += right.variance
        return sum
    }
}
