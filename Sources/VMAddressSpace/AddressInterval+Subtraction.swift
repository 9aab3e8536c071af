extension AddressInterval {
    /// What is left of it below and above `other`: both where `other` is within, neither where it covers all, and all of
    /// it on one side where the two are apart.
    @inlinable
    public func subtracting(_ other: some AddressInterval) -> (below: AddressRange?, above: AddressRange?) {
        var below: AddressRange?
        if start < other.start {
            below = AddressRange(from: start, through: min(last, GuestAddress(other.start.rawValue - 1)))
        }
        var above: AddressRange?
        if other.last < last {
            above = AddressRange(from: max(start, GuestAddress(other.last.rawValue + 1)), through: last)
        }
        return (below, above)
    }

    /// What is left of it without any of `ranges`, in ascending pieces: the gaps between them. They are to ascend by
    /// `start`, and may overlap and reach beyond; out of order, what comes late may not be taken off. Lazy, and without
    /// allocations of its own.
    @inlinable
    public func subtracting<Ranges: Sequence>(_ ranges: Ranges) -> AddressGaps<Ranges>
    where Ranges.Element: AddressInterval {
        AddressGaps(in: AddressRange(self), between: ranges)
    }
}

extension MemoryRange {
    /// What is left of it below and above `other`: both where `other` is within, neither where it covers all, and all of
    /// it on one side where the two are apart.
    @inlinable
    public func subtracting(_ other: MemoryRange) -> (below: MemoryRange?, above: MemoryRange?) {
        let left = AddressRange(self).subtracting(other)
        return (left.below.map(MemoryRange.init(unchecked:)), left.above.map(MemoryRange.init(unchecked:)))
    }

    /// What is left of it without any of `ranges`, in ascending pieces: the gaps between them. They are to ascend by
    /// `start`, and may overlap and reach beyond; out of order, what comes late may not be taken off. Lazy, and without
    /// allocations of its own.
    @inlinable
    public func subtracting<Ranges: Sequence<MemoryRange>>(
        _ ranges: Ranges
    ) -> LazyMapSequence<AddressGaps<Ranges>, MemoryRange> {
        AddressRange(self).subtracting(ranges).lazy.map { MemoryRange(unchecked: $0) }
    }
}
