/// Versions of the protocol that a program speaks.
public struct ProtocolVersions: Hashable, Sendable, CustomStringConvertible {
    /// Those of this program.
    public static let own = ProtocolVersions(3...3)

    public let range: ClosedRange<UInt32>

    public init(_ range: ClosedRange<UInt32>) {
        self.range = range
    }

    /// The highest that both speak; nil where there is none.
    public func highest(sharedWith others: ProtocolVersions) -> UInt32? {
        let highest = min(range.upperBound, others.range.upperBound)
        return highest >= max(range.lowerBound, others.range.lowerBound) ? highest : nil
    }

    public var description: String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
    }
}
