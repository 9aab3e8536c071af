/// A guest-physical address (GPA), in bytes.
@frozen
public struct GuestAddress: Hashable, Sendable {
    public var rawValue: UInt64

    /// - Parameter rawValue: in bytes.
    @inlinable
    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The address `bytes` further up, or nil where that would pass 2^64 - 1.
    @inlinable
    public func advanced(byBytes bytes: UInt64) -> GuestAddress? {
        let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
        return overflow ? nil : GuestAddress(sum)
    }

    /// How many bytes `other` is further up, or nil where it is below this address.
    @inlinable
    public func distance(to other: GuestAddress) -> UInt64? {
        let (difference, overflow) = other.rawValue.subtractingReportingOverflow(rawValue)
        return overflow ? nil : difference
    }
}

extension GuestAddress: Comparable {
    @inlinable
    public static func < (left: GuestAddress, right: GuestAddress) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension GuestAddress: CustomStringConvertible {
    public var description: String {
        "0x" + String(rawValue, radix: 16)
    }
}
