/// The number of something that memory can come from. No other backing of the same planner ever gets it.
public struct BackingID: Hashable, Comparable, Sendable, Codable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// That of the first backing of a planner.
    static let first = BackingID(rawValue: 1)

    public static func < (left: BackingID, right: BackingID) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension BackingID: CustomStringConvertible {
    public var description: String { "\(rawValue)" }
}

/// What a planner has to know of something that memory can come from.
public struct BackingDescription: Hashable, Sendable {
    /// For people.
    public var name: String
    /// In bytes.
    public var byteCount: UInt64
    /// Whether it can be mapped writable.
    public var isWritable: Bool
    /// Whether each page of it can be at several places at once, as those of a file can. Pages without a file, and copies
    /// of a file's pages, are in one place alone.
    public var isShareable: Bool

    public init(name: String, byteCount: UInt64, isWritable: Bool = true, isShareable: Bool = true) {
        self.name = name
        self.byteCount = byteCount
        self.isWritable = isWritable
        self.isShareable = isShareable
    }
}
