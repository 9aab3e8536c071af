import VMAddressSpace

extension RegionIndex {
    /// Appends what the guest sees in a range: the pieces of the regions in force there, cut at its ends, ascending.
    func render(_ range: MemoryRange, into pieces: inout [ViewPiece]) {
        var top: Region?
        var isAlone = true
        forEach(overlapping: range) { region in
            guard region.parameters != nil else { return }
            isAlone = top == nil
            if let top, !region.hides(top) { return }
            top = region
        }
        guard let top else { return }
        // Mostly there is one region, or one that hides the others.
        if isAlone || top.range.contains(range) {
            if let part = top.range.intersection(range) { top.appendPieces(in: part, to: &pieces) }
        } else {
            renderLayers(range, into: &pieces)
        }
    }

    private func renderLayers(_ range: MemoryRange, into pieces: inout [ViewPiece]) {
        var mapped: [Region] = []
        forEach(overlapping: range) { region in
            if region.parameters != nil { mapped.append(region) }
        }
        mapped.sort { $0.hides($1) }
        var found: [ViewPiece] = []
        var free = FreeRanges(range)
        for region in mapped {
            free.take(region.range) { part in region.appendPieces(in: part, to: &found) }
            guard !free.isEmpty else { break }
        }
        found.sort { $0.range < $1.range }
        for piece in found { pieces.appendJoining(piece) }
    }
}

extension Region {
    /// Whether it is seen, and not `other`, where both are mapped.
    fileprivate func hides(_ other: Region) -> Bool {
        (other.priority, id) < (priority, other.id)
    }

    /// Appends the pieces that show a part of the region, ascending.
    fileprivate func appendPieces(in part: MemoryRange, to pieces: inout [ViewPiece]) {
        guard let parameters else { return }
        let last = part.last.rawValue - range.start.rawValue
        var offset = part.start.rawValue - range.start.rawValue
        for mapping in mappings[firstMapping(endingAtOrAfter: offset)...] {
            guard mapping.offset <= last else { break }
            if offset < mapping.offset { pieces.appendJoining(piece(from: offset, through: mapping.offset - 1, nil)) }
            let piece = mapping.part(from: max(offset, mapping.offset), through: min(last, mapping.last))
            pieces.appendJoining(
                self.piece(from: piece.offset, through: piece.last, PieceMemory(piece, parameters)))
            guard piece.last < last else { return }
            offset = piece.last + 1
        }
        pieces.appendJoining(piece(from: offset, through: last, nil))
    }

    private func piece(from offset: UInt64, through last: UInt64, _ memory: PieceMemory?) -> ViewPiece {
        let range = MemoryRange(
            uncheckedFrom: GuestAddress(address(of: offset)), through: GuestAddress(address(of: last)))
        return ViewPiece(range: range, region: id, memory: memory)
    }
}

/// What is left of a range while regions take their parts, ascending.
private struct FreeRanges {
    private var ranges: [MemoryRange]

    init(_ range: MemoryRange) {
        ranges = [range]
    }

    var isEmpty: Bool { ranges.isEmpty }

    /// Takes all that is free in `range`, and calls `body` with each part of it.
    mutating func take(_ range: MemoryRange, _ body: (MemoryRange) -> Void) {
        let start = ranges.partitioningIndex { $0.last >= range.start }
        var end = start
        var left: [MemoryRange] = []
        while end < ranges.count, let part = ranges[end].intersection(range) {
            body(part)
            let (below, above) = ranges[end].subtracting(part)
            if let below { left.append(below) }
            if let above { left.append(above) }
            end += 1
        }
        ranges.replaceSubrange(start..<end, with: left)
    }
}
