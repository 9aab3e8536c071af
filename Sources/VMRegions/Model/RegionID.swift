/// The number of a region. No other region of the same planner ever gets it, and older regions have lower ones.
public struct RegionID: Hashable, Comparable, Sendable, Codable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static func < (left: RegionID, right: RegionID) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension RegionID: CustomStringConvertible {
    public var description: String { "\(rawValue)" }
}
