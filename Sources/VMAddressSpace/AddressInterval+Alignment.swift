extension AddressInterval {
    /// The most of it that is whole pages of `size`, or nil where it has none.
    @inlinable
    public func largestSubrange(alignedTo size: PageSize) -> MemoryRange? {
        guard let first = start.alignedUp(to: size.bytes) else { return nil }
        // The end is exclusive and wraps to 0 at 2^64, from where one byte less is the last byte again.
        let end = (last.rawValue &+ 1) & ~size.mask
        let last = GuestAddress(end &- 1)
        guard first <= last, last <= self.last else { return nil }
        return MemoryRange(uncheckedFrom: first, through: last)
    }

    /// The pages of `size` that it touches.
    @inlinable
    public func enclosingRange(alignedTo size: PageSize) -> MemoryRange {
        MemoryRange(
            uncheckedFrom: start.alignedDown(to: size.bytes), through: GuestAddress(last.rawValue | size.mask))
    }
}
