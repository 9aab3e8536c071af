/// How much of a column was written, in steps that eyes can tell apart: what a colour or a character stands for.
///
/// The steps follow the cube root of the share, which sets apart one page in a gigabyte from none, 1 % from 10 %, and 10 %
/// from half. The hottest is for columns of which every page was written, alone.
public struct HeatLevel: Hashable, Comparable, Sendable {
    /// From 0, nothing, to `count - 1`, everything.
    public let index: Int

    /// How many levels there are.
    public static let count = 17
    /// No page was written.
    public static let none = HeatLevel(unchecked: 0)
    /// Every page was written, in each interval.
    public static let all = HeatLevel(unchecked: count - 1)

    /// - Parameters:
    ///   - pages: that were written.
    ///   - capacity: how many could have been: a column's pages, once for each interval.
    public init(pages: UInt64, of capacity: UInt64) {
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
