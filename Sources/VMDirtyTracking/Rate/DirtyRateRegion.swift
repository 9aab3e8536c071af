import VMAddressSpace

/// Guest memory that a rate is given for by itself.
public struct DirtyRateRegion: Hashable, Sendable {
    public let name: String
    /// Ascending and disjoint; at least one.
    public let ranges: [MemoryRange]

    /// - Parameter ranges: in any order; what overlaps or adjoins becomes one.
    /// - Returns: nil without any.
    public init?(name: String, ranges: [MemoryRange]) {
        guard !ranges.isEmpty else { return nil }
        self.name = name
        self.ranges = Array(ranges.sorted().merged())
    }

    /// In pages of 4 KiB.
    public var pageCount: UInt64 { ranges.reduce(0) { $0 + $1.pageCount } }

    /// The address of one of its pages, which count from 0, as if there were no holes.
    func address(ofPage number: UInt64) -> GuestAddress? {
        var rest = number
        for range in ranges {
            if rest < range.pageCount { return GuestAddress(frame: range.start.frame + rest) }
            rest -= range.pageCount
        }
        return nil
    }
}
