import Testing
import VMAddressSpace

@Suite struct RangeWalkTests {
    /// A range with a name, as a region has one.
    private struct Named: Ranged, Equatable {
        let name: String
        let range: MemoryRange

        init(_ name: String, _ frames: Range<UInt64>) {
            self.name = name
            self.range = pages(frames)
        }
    }

    /// The pieces as text: frames, and what is on the left and on the right of them.
    private func walk(_ left: [Named], _ right: [Named]) -> [String] {
        RangeWalk(left, right).map { piece in
            let names =
                switch piece.coverage {
                case .left(let left): "\(left.name)-"
                case .right(let right): "-\(right.name)"
                case .both(let left, let right): left.name + right.name
                }
            return "\(piece.range.frames) \(names)"
        }
    }

    @Test func `nothing beside nothing is nothing`() {
        #expect(walk([], []).isEmpty)
    }

    @Test func `one side alone comes as it is`() {
        #expect(walk([Named("a", 0..<2), Named("b", 2..<4)], []) == ["0..<2 a-", "2..<4 b-"])
        #expect(walk([], [Named("x", 0..<2), Named("y", 5..<6)]) == ["0..<2 -x", "5..<6 -y"])
    }

    @Test func `equal ranges are one piece`() {
        #expect(walk([Named("a", 3..<5)], [Named("x", 3..<5)]) == ["3..<5 ax"])
    }

    @Test func `ranges that adjoin or are apart share nothing`() {
        #expect(walk([Named("a", 0..<2)], [Named("x", 2..<4)]) == ["0..<2 a-", "2..<4 -x"])
        #expect(walk([Named("a", 6..<8)], [Named("x", 2..<4)]) == ["2..<4 -x", "6..<8 a-"])
    }

    @Test func `a piece ends where anything begins or ends`() {
        #expect(
            walk([Named("a", 0..<10)], [Named("x", 2..<4), Named("y", 6..<12)])
                == ["0..<2 a-", "2..<4 ax", "4..<6 a-", "6..<10 ay", "10..<12 -y"])
        #expect(
            walk([Named("a", 1..<3), Named("b", 3..<5)], [Named("x", 0..<6)])
                == ["0..<1 -x", "1..<3 ax", "3..<5 bx", "5..<6 -x"])
    }

    @Test func `both reach from the first to the last address`() {
        let end = GuestAddress.frameCount
        #expect(
            walk([Named("a", 0..<end)], [Named("x", 0..<1), Named("y", (end - 1)..<end)])
                == ["0..<1 ax", "1..<\(end - 1) a-", "\(end - 1)..<\(end) ay"])
        #expect(walk([Named("a", 0..<end)], [Named("x", 0..<end)]) == ["0..<\(end) ax"])
    }

    @Test func `ranges stand for themselves`() {
        let shared = RangeWalk([pages(0..<4), pages(6..<8)], [pages(2..<7)]).compactMap { piece in
            if case .both = piece.coverage { piece.range } else { nil }
        }
        #expect(shared == [pages(2..<4), pages(6..<7)])
    }

    @Test func `elements that overlap or descend leave pieces that still ascend`() {
        let left = [pages(4..<8), pages(6..<10), pages(0..<2), pages(9..<12)]
        let pieces = RangeWalk(left, [pages(5..<7), pages(1..<20)]).map(\.range)
        #expect(zip(pieces, pieces.dropFirst()).allSatisfy { $0.last < $1.start })
        #expect(pieces.first?.start == GuestAddress(0x4000))
        #expect(pieces.last == pages(12..<20))
    }
}
