/// How much of a column was written, in steps that eyes can tell apart: what a colour or a character stands for.
///
/// The steps follow the cube root of the share, which sets apart one page in a gigabyte from none, 1 % from 10 %, and 10 %
/// from half. The hottest is for columns of which every page was written, alone.
public struct HeatLevel: Hashable, Comparable, CaseIterable, Sendable {
    /// From 0, nothing, to `count - 1`, everything.
    public let index: Int

    /// How many levels there are.
    public static let count = 17
    /// From the coolest on.
    public static let allCases = (0..<count).map(HeatLevel.init(unchecked:))
    /// No page was written.
    public static let none = HeatLevel(unchecked: 0)
    /// Every page was written, in each interval.
    public static let all = HeatLevel(unchecked: count - 1)

    /// - Parameters:
    ///   - pages: that were written.
    ///   - pageCount: how many could have been in an interval: a column's pages.
    ///   - intervalCount: the intervals in which those pages were written, one at least.
    public init(pages: UInt64, of pageCount: UInt64, intervalCount: Int = 1) {
        let (product, overflow) = pageCount.multipliedReportingOverflow(by: UInt64(max(intervalCount, 1)))
        let capacity = overflow ? .max : product
        if pages == 0 {
            self = .none
        } else if pages >= capacity {
            self = .all
        } else {
            self.init(share: Double(pages) / Double(capacity))
        }
    }

    /// - Parameter share: of the pages, above 0 and below 1; anything else counts as the next such share.
    public init(share: Double) {
        let step = Self.thresholds.lastIndex { share >= $0 } ?? 0
        self.init(unchecked: step + 1)
    }

    private init(unchecked index: Int) {
        self.index = index
    }

    /// The share from which each level on counts, from the coolest that is not nothing to the hottest but everything.
    private static let thresholds: [Double] = (0..<(count - 2)).map { step in
        let root = Double(step) / Double(count - 2)
        return root * root * root
    }

    public static func < (left: HeatLevel, right: HeatLevel) -> Bool {
        left.index < right.index
    }
}
