/// A non-empty, half-open range of guest-physical addresses, kept as its first and its last byte, so that it can
/// end at 2^64. `start` is never above `last`.
///
/// What `AddressRange`, of any bytes, and `MemoryRange`, of whole pages, have in common; the two can be compared with
/// each other.
public protocol AddressInterval: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The address of the first byte in it.
    var start: GuestAddress { get }
    /// The address of the last byte in it.
    var last: GuestAddress { get }
}

extension AddressInterval {
    /// Its length in bytes; saturates for the whole 2^64 space, which a `UInt64` cannot count.
    @inlinable
    public var count: UInt64 {
        let distance = last.rawValue - start.rawValue
        return distance == .max ? .max : distance + 1
    }

    /// The address after its last byte; nil where it ends at 2^64.
    @inlinable
    public var endExclusive: GuestAddress? {
        last.advanced(byBytes: 1)
    }

    /// Whether `address` is in it.
    @inlinable
    public func contains(_ address: GuestAddress) -> Bool {
        start <= address && address <= last
    }

    /// Whether all of `other` is in it.
    @inlinable
    public func contains(_ other: some AddressInterval) -> Bool {
        start <= other.start && other.last <= last
    }

    /// Whether the two share an address.
    @inlinable
    public func overlaps(_ other: some AddressInterval) -> Bool {
        start <= other.last && other.start <= last
    }

    /// Whether the one begins where the other ends.
    @inlinable
    public func isAdjacent(to other: some AddressInterval) -> Bool {
        endExclusive == other.start || other.endExclusive == start
    }

    /// Whether start and length are both multiples of `alignment`, a power of two in bytes.
    @inlinable
    public func isAligned(to alignment: UInt64) -> Bool {
        let mask = alignment &- 1
        return start.rawValue & mask == 0 && last.rawValue & mask == mask
    }

    /// The addresses that both have, or nil where there are none.
    @inlinable
    public func intersection(_ other: some AddressInterval) -> AddressRange? {
        AddressRange(from: max(start, other.start), through: min(last, other.last))
    }

    /// By first byte; those that begin together, by last byte.
    @inlinable
    public static func < (left: Self, right: Self) -> Bool {
        left.start == right.start ? left.last < right.last : left.start < right.start
    }

    /// `[first, last]`, both inclusive, as kernels print their memory maps.
    public var description: String {
        "[\(start), \(last)]"
    }
}
