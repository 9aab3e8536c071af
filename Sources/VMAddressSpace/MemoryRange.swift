/// A non-empty, half-open range of guest-physical addresses. It is stored as its first and its last
/// byte, so that it can end at 2^64.
public struct MemoryRange: Hashable, Sendable {
    /// The address of the first byte in the range.
    public let start: GuestAddress
    /// The address of the last byte in the range.
    public let last: GuestAddress

    /// - Parameter count: its length in bytes.
    /// - Returns: nil where the range would be empty or pass 2^64.
    public init?(start: GuestAddress, count: UInt64) {
        guard count > 0, let last = start.advanced(byBytes: count - 1) else { return nil }
        self.start = start
        self.last = last
    }

    /// Its length in bytes; saturates for the whole 2^64 space, which a `UInt64` cannot count.
    public var count: UInt64 {
        let distance = last.rawValue - start.rawValue
        return distance == .max ? .max : distance + 1
    }

    /// Whether `address` is in the range.
    public func contains(_ address: GuestAddress) -> Bool {
        start <= address && address <= last
    }

    /// Whether all of `other` is in the range.
    public func contains(_ other: MemoryRange) -> Bool {
        start <= other.start && other.last <= last
    }

    /// Whether the two share an address.
    public func overlaps(_ other: MemoryRange) -> Bool {
        start <= other.last && other.start <= last
    }

    /// Whether start and length are both multiples of `alignment`, a power of two in bytes.
    public func isAligned(to alignment: UInt64) -> Bool {
        let mask = alignment - 1
        return start.rawValue & mask == 0 && last.rawValue & mask == mask
    }
}

extension MemoryRange: CustomStringConvertible {
    /// `[first, last]`, both inclusive, as kernels print their memory maps.
    public var description: String {
        "[\(start), \(last)]"
    }
}
