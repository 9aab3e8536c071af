extension Sequence<MemoryRange> {
    /// The same memory in as few ranges as can be: those that overlap or adjoin are one. The sequence is to ascend by
    /// `start`; otherwise some that belong together stay apart. Lazy, and without allocations of its own.
    @inlinable
    public func merged() -> MergedRanges<Self> {
        MergedRanges(self)
    }
}

/// Ascending ranges with those merged that overlap or adjoin.
@frozen
public struct MergedRanges<Base: Sequence<MemoryRange>>: Sequence {
    @usableFromInline
    let base: Base

    @inlinable
    init(_ base: Base) {
        self.base = base
    }

    @inlinable
    public func makeIterator() -> Iterator {
        Iterator(base.makeIterator())
    }

    @frozen
    public struct Iterator: IteratorProtocol {
        @usableFromInline
        var base: Base.Iterator
        @usableFromInline
        var pending: MemoryRange?

        @inlinable
        init(_ base: Base.Iterator) {
            self.base = base
            self.pending = self.base.next()
        }

        @inlinable
        public mutating func next() -> MemoryRange? {
            guard var merged = pending else { return nil }
            while let range = base.next() {
                guard merged.overlaps(range) || merged.isAdjacent(to: range) else {
                    pending = range
                    return merged
                }
                merged = MemoryRange(
                    uncheckedFrom: Swift.min(merged.start, range.start), through: Swift.max(merged.last, range.last))
            }
            pending = nil
            return merged
        }
    }
}

extension MergedRanges: Sendable where Base: Sendable {}
extension MergedRanges.Iterator: Sendable where Base.Iterator: Sendable {}
