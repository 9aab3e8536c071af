import VMAddressSpace

/// The operations that lead from one list of pieces to another, both ascending and disjoint.
struct ViewDifference {
    /// The fewest that do: what has to go, ascending, then what comes, ascending.
    private(set) var operations: [PlanOperation] = []

    init(from old: [ViewPiece], to new: [ViewPiece]) {
        Self.forEachPart(of: old, unlike: new) { part, _ in unmap(part) }
        Self.forEachPart(of: new, unlike: old) { part, memory in map(part, memory) }
    }

    private mutating func unmap(_ range: MemoryRange) {
        if case .unmap(let last)? = operations.last, last.endExclusive == range.start {
            operations[operations.count - 1] = .unmap(
                MemoryRange(uncheckedFrom: last.start, through: range.last))
        } else {
            operations.append(.unmap(range))
        }
    }

    private mutating func map(_ range: MemoryRange, _ memory: PieceMemory) {
        if case .map(let last, let lastMemory)? = operations.last, last.endExclusive == range.start,
            lastMemory.continues(in: memory, after: last.count)
        {
            operations[operations.count - 1] = .map(
                MemoryRange(uncheckedFrom: last.start, through: range.last), lastMemory)
        } else {
            operations.append(.map(range, memory))
        }
    }

    /// Calls `body` with the parts of pieces, and their memory, that `others` does not have alike, ascending.
    private static func forEachPart(
        of pieces: [ViewPiece], unlike others: [ViewPiece], _ body: (MemoryRange, PieceMemory) -> Void
    ) {
        var index = 0
        for piece in pieces {
            guard let memory = piece.memory else { continue }
            var rest: MemoryRange? = piece.range
            while index < others.count, others[index].range.last < piece.range.start { index += 1 }
            var other = index
            while let current = rest, other < others.count, others[other].range.start <= current.last {
                if let alike = piece.rangeAlike(others[other]) {
                    let (below, above) = current.subtracting(alike)
                    if let below { body(below, memory.advanced(from: piece.range, to: below)) }
                    rest = above
                }
                other += 1
            }
            if let rest { body(rest, memory.advanced(from: piece.range, to: rest)) }
        }
    }
}

extension ViewPiece {
    /// Where two pieces overlap and show the same memory, in the same way; nil where they do not.
    fileprivate func rangeAlike(_ other: ViewPiece) -> MemoryRange? {
        guard let memory, let otherMemory = other.memory, let common = range.intersection(other.range),
            memory.advanced(from: range, to: common).isSame(as: otherMemory.advanced(from: other.range, to: common))
        else { return nil }
        return common
    }
}
