/// What is left of a range without some ascending others.
@frozen
public struct AddressGaps<Ranges: Sequence>: Sequence where Ranges.Element: AddressInterval {
    @usableFromInline
    let bound: AddressRange
    @usableFromInline
    let ranges: Ranges

    @inlinable
    init(in bound: AddressRange, between ranges: Ranges) {
        self.bound = bound
        self.ranges = ranges
    }

    @inlinable
    public func makeIterator() -> Iterator {
        Iterator(in: bound, between: ranges.makeIterator())
    }

    @frozen
    public struct Iterator: IteratorProtocol {
        /// What is above all ranges so far.
        @usableFromInline
        var rest: AddressRange?
        @usableFromInline
        var ranges: Ranges.Iterator

        @inlinable
        init(in bound: AddressRange, between ranges: Ranges.Iterator) {
            self.rest = bound
            self.ranges = ranges
        }

        @inlinable
        public mutating func next() -> AddressRange? {
            while let current = rest {
                guard let range = ranges.next() else {
                    rest = nil
                    return current
                }
                let (below, above) = current.subtracting(range)
                rest = above
                if let below { return below }
            }
            return nil
        }
    }
}

extension AddressGaps: Sendable where Ranges: Sendable {}
