/// One side of a `RangeWalk`: how far it has come in its sequence.
@frozen
@usableFromInline
struct RangeCursor<Base: IteratorProtocol> where Base.Element: Ranged {
    /// An element, and what of its range is yet to come.
    @frozen
    @usableFromInline
    struct Head {
        @usableFromInline
        let element: Base.Element
        @usableFromInline
        let range: MemoryRange

        @inlinable
        init(_ element: Base.Element, _ range: MemoryRange) {
            self.element = element
            self.range = range
        }
    }

    @usableFromInline
    var base: Base
    /// Nil at the end.
    @usableFromInline
    var head: Head?

    @inlinable
    init(_ base: Base) {
        self.base = base
        self.head = self.base.next().map { Head($0, $0.range) }
    }

    /// Moves on past `piece`, which begins where the head does and ends with it or before.
    @inlinable
    mutating func advance(past piece: MemoryRange) {
        if let current = head, let rest = current.range.subtracting(piece).above {
            head = Head(current.element, rest)
            return
        }
        head = nil
        while let element = base.next() {
            if let rest = element.range.subtracting(piece).above {
                head = Head(element, rest)
                return
            }
        }
    }
}
