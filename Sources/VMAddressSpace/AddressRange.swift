/// A non-empty range of guest-physical bytes at any alignment: one access, a blob in memory, a segment of an image.
///
/// Memory itself comes in pages: `MemoryRange`.
@frozen
public struct AddressRange: AddressInterval {
    public let start: GuestAddress
    public let last: GuestAddress

    /// - Parameter count: its length in bytes.
    /// - Returns: nil where the range would be empty or pass 2^64.
    @inlinable
    public init?(start: GuestAddress, count: UInt64) {
        guard count > 0, let last = start.advanced(byBytes: count - 1) else { return nil }
        self.start = start
        self.last = last
    }

    /// - Returns: nil where `last` is below `start`.
    @inlinable
    public init?(from start: GuestAddress, through last: GuestAddress) {
        guard start <= last else { return nil }
        self.start = start
        self.last = last
    }

    /// Half-open, in bytes.
    /// - Returns: nil where it is empty.
    @inlinable
    public init?(_ range: Range<UInt64>) {
        self.init(start: GuestAddress(range.lowerBound), count: range.upperBound - range.lowerBound)
    }

    /// The same bytes.
    @inlinable
    public init(_ range: some AddressInterval) {
        self.start = range.start
        self.last = range.last
    }
}
