import VMAddressSpace

/// What is mapped where in a `SparseMapping`: a value, sorted and without overlaps, in which pieces that continue each
/// other are one.
struct MappedPieces {
    private(set) var all: [MappedPiece] = []
    /// Whether all is as it was reserved: nobody has tried to map anything there, or to move it there.
    var isUntouched = true

    /// The parts of pieces in `range`, ascending.
    func parts(in range: Range<UInt64>) -> [MappedPiece] {
        all[indices(overlapping: range)].map { $0.part(in: range) }
    }

    /// The first part of `range` where nothing is mapped.
    func firstGap(in range: Range<UInt64>) -> Range<UInt64>? {
        var start = range.lowerBound
        for piece in all[indices(overlapping: range)] {
            if start < piece.range.lowerBound { return start..<piece.range.lowerBound }
            start = piece.range.upperBound
        }
        return start < range.upperBound ? start..<range.upperBound : nil
    }

    /// A piece that one of the range's ends cuts where its page size does not let it be cut.
    func pieceCutWithinPage(by range: Range<UInt64>) -> MappedPiece? {
        all[indices(overlapping: range)].first { piece in
            let part = range.clamped(to: piece.range)
            return (part.lowerBound | part.upperBound) & piece.pageSize.mask != 0
        }
    }

    /// Puts `pieces`, which are sorted and within `range`, in place of all that is in it.
    mutating func replace(_ range: Range<UInt64>, with pieces: [MappedPiece]) {
        guard !all.isEmpty else {
            all = Self.joined(pieces)
            return
        }
        let indices = indices(overlapping: range)
        var changed = pieces
        if let first = all[indices].first, first.range.lowerBound < range.lowerBound {
            changed.insert(first.part(in: first.range.lowerBound..<range.lowerBound), at: 0)
        }
        if let last = all[indices].last, last.range.upperBound > range.upperBound {
            changed.append(last.part(in: range.upperBound..<last.range.upperBound))
        }
        var (start, end) = (indices.lowerBound, indices.upperBound)
        if start > 0, let first = changed.first, all[start - 1].continues(in: first) {
            start -= 1
            changed.insert(all[start], at: 0)
        }
        if end < all.count, let last = changed.last, last.continues(in: all[end]) {
            changed.append(all[end])
            end += 1
        }
        all.replaceSubrange(start..<end, with: Self.joined(changed))
    }

    private static func joined(_ pieces: [MappedPiece]) -> [MappedPiece] {
        guard pieces.count > 1 else { return pieces }
        return pieces.reduce(into: []) { joined, piece in
            if let last = joined.last, last.continues(in: piece) {
                joined[joined.count - 1].range = last.range.lowerBound..<piece.range.upperBound
            } else {
                joined.append(piece)
            }
        }
    }

    private func indices(overlapping range: Range<UInt64>) -> Range<Int> {
        let start = all.partitioningIndex { $0.range.upperBound > range.lowerBound }
        var end = start
        while end < all.count, all[end].range.lowerBound < range.upperBound { end += 1 }
        return start..<end
    }
}
