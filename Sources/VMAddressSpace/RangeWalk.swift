/// Something at a range of guest memory, such as a region or a memory slot.
public protocol Ranged {
    /// Guest-physical.
    var range: MemoryRange { get }
}

extension MemoryRange: Ranged {
    /// Itself.
    @inlinable
    public var range: MemoryRange { self }
}

/// Two sequences side by side: ascending, disjoint pieces of everything that is in either, each with what it is in. A piece
/// ends where an element of either ends or begins.
///
/// The elements of each are to ascend and be disjoint, as those of a map are. Otherwise the pieces still ascend and are
/// disjoint, but of an element nothing comes that is not above the one before it. Lazy, and without allocations of its own.
@frozen
public struct RangeWalk<Left: Sequence, Right: Sequence>: Sequence where Left.Element: Ranged, Right.Element: Ranged {
    @usableFromInline
    let left: Left
    @usableFromInline
    let right: Right

    @inlinable
    public init(_ left: Left, _ right: Right) {
        self.left = left
        self.right = right
    }

    @inlinable
    public func makeIterator() -> Iterator {
        Iterator(left.makeIterator(), right.makeIterator())
    }

    @frozen
    public struct Iterator: IteratorProtocol {
        @usableFromInline
        var left: RangeCursor<Left.Iterator>
        @usableFromInline
        var right: RangeCursor<Right.Iterator>

        @inlinable
        init(_ left: Left.Iterator, _ right: Right.Iterator) {
            self.left = RangeCursor(left)
            self.right = RangeCursor(right)
        }

        @inlinable
        public mutating func next() -> WalkedRange<Left.Element, Right.Element>? {
            switch (left.head, right.head) {
            case (nil, nil):
                return nil
            case (let first?, nil):
                left.advance(past: first.range)
                return WalkedRange(first.range, .left(first.element))
            case (nil, let second?):
                right.advance(past: second.range)
                return WalkedRange(second.range, .right(second.element))
            case (let first?, let second?):
                return next(first, second)
            }
        }

        @inlinable
        mutating func next(
            _ first: RangeCursor<Left.Iterator>.Head, _ second: RangeCursor<Right.Iterator>.Head
        ) -> WalkedRange<Left.Element, Right.Element> {
            if let alone = first.range.subtracting(second.range).below {
                left.advance(past: alone)
                return WalkedRange(alone, .left(first.element))
            }
            if let alone = second.range.subtracting(first.range).below {
                right.advance(past: alone)
                return WalkedRange(alone, .right(second.element))
            }
            // Neither begins below the other.
            let shared = first.range.last < second.range.last ? first.range : second.range
            left.advance(past: shared)
            right.advance(past: shared)
            return WalkedRange(shared, .both(first.element, second.element))
        }
    }
}

extension RangeWalk: Sendable where Left: Sendable, Right: Sendable {}

/// One piece of a `RangeWalk`.
@frozen
public struct WalkedRange<Left, Right> {
    /// What the piece is in.
    @frozen
    public enum Coverage {
        /// In this of the left sequence and none of the right.
        case left(Left)
        /// In this of the right sequence and none of the left.
        case right(Right)
        /// In one of each.
        case both(Left, Right)
    }

    /// The piece.
    public let range: MemoryRange
    /// What it is in.
    public let coverage: Coverage

    @inlinable
    init(_ range: MemoryRange, _ coverage: Coverage) {
        self.range = range
        self.coverage = coverage
    }
}

extension WalkedRange.Coverage: Equatable where Left: Equatable, Right: Equatable {}
extension WalkedRange.Coverage: Sendable where Left: Sendable, Right: Sendable {}
extension WalkedRange: Equatable where Left: Equatable, Right: Equatable {}
extension WalkedRange: Sendable where Left: Sendable, Right: Sendable {}
