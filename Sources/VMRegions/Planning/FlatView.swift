import VMAddressSpace

extension ViewPiece: TreeInterval {
    var first: UInt64 { range.start.rawValue }
    var last: UInt64 { range.last.rawValue }
    var order: UInt64 { 0 }
}

/// What a guest sees: pieces in ascending order that do not overlap, each as long as it can be.
public struct FlatView: Sendable {
    private var tree = IntervalTree<ViewPiece>()

    /// Ascending; those without memory, where a region hides what is beneath, among them.
    public var pieces: [ViewPiece] { tree.all }

    /// How many pieces there are.
    public var count: Int { tree.count }

    /// The pieces that have an address in a range, whole.
    func pieces(overlapping range: MemoryRange) -> [ViewPiece] {
        pieces(overlapping: range.start.rawValue, range.last.rawValue)
    }

    /// The pieces that have an address in a range, or end or begin next to it.
    func pieces(touching range: MemoryRange) -> [ViewPiece] {
        let (first, last) = (range.start.rawValue, range.last.rawValue)
        return pieces(overlapping: first == 0 ? 0 : first - 1, last == .max ? .max : last + 1)
    }

    private func pieces(overlapping first: UInt64, _ last: UInt64) -> [ViewPiece] {
        var found: [ViewPiece] = []
        tree.forEach(overlapping: first, last) { found.append($0) }
        return found
    }

    /// Takes pieces away that are there, and then puts others where nothing is.
    mutating func replace(_ removed: [ViewPiece], with added: [ViewPiece]) {
        for piece in removed { tree.remove(piece) }
        for piece in added { tree.insert(piece) }
    }
}

extension FlatView: Equatable {
    public static func == (left: FlatView, right: FlatView) -> Bool {
        left.pieces == right.pieces
    }
}
