/// A guest-physical address (GPA), in bytes.
public struct GuestAddress: Hashable, Sendable {
    public var rawValue: UInt64

    /// - Parameter rawValue: in bytes.
    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The address `bytes` further up, or nil where that would pass 2^64 - 1.
    public func advanced(byBytes bytes: UInt64) -> GuestAddress? {
        let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
        return overflow ? nil : GuestAddress(sum)
    }
}

extension GuestAddress: Comparable {
    public static func < (left: GuestAddress, right: GuestAddress) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension GuestAddress: CustomStringConvertible {
    public var description: String {
        "0x" + String(rawValue, radix: 16)
    }
}
