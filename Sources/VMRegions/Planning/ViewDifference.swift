import VMAddressSpace

/// The operations that lead from one list of pieces to another, both ascending and disjoint.
struct ViewDifference {
    private(set) var unmapped: [MemoryRange] = []
    private(set) var mapped: [(range: MemoryRange, memory: PieceMemory)] = []

    init(from old: [ViewPiece], to new: [ViewPiece]) {
        Self.forEachPart(of: old, unlike: new) { part in
            if let last = unmapped.last, last.endExclusive == part.range.start {
                unmapped[unmapped.count - 1] = MemoryRange(uncheckedFrom: last.start, through: part.range.last)
            } else {
                unmapped.append(part.range)
            }
        }
        Self.forEachPart(of: new, unlike: old) { part in
            guard let memory = part.memory else { return }
            if let last = mapped.last, last.range.endExclusive == part.range.start,
                last.memory.continues(in: memory, after: last.range.count)
            {
                mapped[mapped.count - 1].range = MemoryRange(
                    uncheckedFrom: last.range.start, through: part.range.last)
            } else {
                mapped.append((part.range, memory))
            }
        }
    }

    /// Calls `body` with the parts of pieces with memory that `others` does not have alike, ascending.
    private static func forEachPart(
        of pieces: [ViewPiece], unlike others: [ViewPiece], _ body: (ViewPiece) -> Void
    ) {
        var index = 0
        for piece in pieces where piece.memory != nil {
            var rest: MemoryRange? = piece.range
            while index < others.count, others[index].range.last < piece.range.start { index += 1 }
            var other = index
            while let current = rest, other < others.count, others[other].range.start <= current.last {
                let (part, next) = Self.split(current, of: piece, at: others[other])
                if let part { body(part) }
                rest = next
                other += 1
            }
            if let rest { body(piece.part(in: rest)) }
        }
    }

    /// What of a piece's `rest` lies below `other`, or below and in it where they are not alike, and what lies above.
    private static func split(
        _ rest: MemoryRange, of piece: ViewPiece, at other: ViewPiece
    ) -> (part: ViewPiece?, above: MemoryRange?) {
        guard let common = rest.intersection(other.range) else { return (nil, rest) }
        let (below, above) = rest.subtracting(common)
        let isAlike = isSame(piece.part(in: common).memory, other.part(in: common).memory)
        if isAlike { return (below.map(piece.part), above) }
        return (piece.part(in: MemoryRange(uncheckedFrom: rest.start, through: common.last)), above)
    }

    private static func isSame(_ memory: PieceMemory?, _ other: PieceMemory?) -> Bool {
        guard let memory, let other else { return false }
        return memory.isSame(as: other)
    }
}
