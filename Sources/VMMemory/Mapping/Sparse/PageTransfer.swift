import SystemPackage

/// The kernel's part of moving pages: what has been moved so far, to go on with or to undo.
///
/// Pages are moved while nobody can access them. The kernel leaves empty pages where they were, if anything, and what would be
/// written to those would be lost. To see to that takes much longer than the move, which is a matter of page tables; where
/// nobody does access them anyway, it is left out.
struct PageTransfer {
    private let source: SparseMapping
    private let target: SparseMapping
    private let support: MoveSupport
    private var done: [Run] = []

    /// Pages that the kernel moves in one call.
    private struct Run {
        let source: HostPages
        let target: HostPages
        let keepsAddresses: Bool
        /// Whether the addresses that the pages left still belong to the reservation.
        var isSourceReserved = true
    }

    init(from source: SparseMapping, to target: SparseMapping, _ support: MoveSupport) {
        self.source = source
        self.target = target
        self.support = support
    }

    /// Moves parts to where the pieces, as many and of the same lengths, say. Where it throws, some may have been moved:
    /// `undo`.
    /// - Parameter areUnused: whether nobody accesses them meanwhile.
    mutating func move(_ parts: [MappedPiece], to pieces: [MappedPiece], areUnused: Bool) throws(Errno) {
        if !areUnused { for part in parts { try source.pages(part.range).protect(.none) } }
        for (part, piece) in zip(parts, pieces) { try move(part, to: piece) }
        for (part, piece) in zip(parts, pieces) where !areUnused || part.protection != piece.protection {
            try target.pages(piece.range).protect(piece.protection)
        }
    }

    private mutating func move(_ part: MappedPiece, to piece: MappedPiece) throws(Errno) {
        let (pages, room) = (source.pages(part.range), target.pages(piece.range))
        let keepsAddresses = support.keepsAddresses(of: part)
        var moved = 0
        while moved < pages.count {
            let rest = HostPages(base: pages.base + moved, count: pages.count - moved)
            let run = rest.prefixInOneMapping(pageSize: Int(part.pageSize.bytes))
            try move(
                Run(
                    source: run, target: HostPages(base: room.base + moved, count: run.count),
                    keepsAddresses: keepsAddresses))
            moved += run.count
        }
    }

    private mutating func move(_ run: Run) throws(Errno) {
        var run = run
        do {
            try support.beforeMove?(.there)
            try run.source.move(to: run.target.base, keepingAddresses: run.keepsAddresses)
        } catch {
            _ = target.span.reserveHole(run.target)
            throw error
        }
        if !run.keepsAddresses { run.isSourceReserved = source.span.reserveHole(run.source) }
        done.append(run)
    }

    /// Reserves the addresses that pages were moved from. Where the kernel cannot, nobody can access what is there anyway.
    func finish() {
        for run in done where run.keepsAddresses { source.reserveAgain(run.source) }
    }

    /// Moves all back. What cannot be moved back stays at the target, with the protection it was to get there.
    /// - Returns: the ranges of the source that it came from, ascending.
    func undo(_ parts: [MappedPiece], _ pieces: [MappedPiece]) -> [Range<UInt64>] {
        var stranded: [Range<UInt64>] = []
        for run in done.reversed() {
            if moveBack(run) {
                if run.keepsAddresses {
                    target.reserveAgain(run.target)
                } else {
                    _ = target.span.reserveHole(run.target)
                }
            } else {
                // The only copy is at the target.
                if run.keepsAddresses { source.reserveAgain(run.source) }
                stranded.append(source.offsets(run.source))
            }
        }
        stranded.sort { $0.lowerBound < $1.lowerBound }
        for (part, piece) in zip(parts, pieces) {
            for rest in part.range.subtracting(stranded) { try? source.pages(rest).protect(part.protection) }
            for run in stranded where run.overlaps(part.range) {
                let moved = piece.part(at: run, of: part)
                try? target.pages(moved.range).protect(moved.protection)
            }
        }
        return stranded
    }

    private func moveBack(_ run: Run) -> Bool {
        guard run.isSourceReserved else { return false }
        do {
            try support.beforeMove?(.back)
            try run.target.move(to: run.source.base, keepingAddresses: run.keepsAddresses)
            return true
        } catch {
            _ = source.span.reserveHole(run.source)
            return false
        }
    }
}

extension MappedPiece {
    /// What has become of a run of the pages of `part`, which this is at another place.
    func part(at run: Range<UInt64>, of part: MappedPiece) -> MappedPiece {
        let run = run.clamped(to: part.range)
        let start = range.lowerBound + (run.lowerBound - part.range.lowerBound)
        return self.part(in: start..<start + UInt64(run.count))
    }
}

extension Range<UInt64> {
    /// What is left of it without some, which ascend and do not overlap.
    fileprivate func subtracting(_ others: [Range<UInt64>]) -> [Range<UInt64>] {
        var rest: [Range<UInt64>] = []
        var start = lowerBound
        for other in others where other.overlaps(self) {
            if start < other.lowerBound { rest.append(start..<other.lowerBound) }
            start = other.upperBound
        }
        if start < upperBound { rest.append(start..<upperBound) }
        return rest
    }
}

extension SparseMapping {
    /// Where pages of it are, in bytes from its start.
    fileprivate func offsets(_ pages: HostPages) -> Range<UInt64> {
        let start = UInt64(pages.base - baseAddress)
        return start..<start + UInt64(pages.count)
    }

    /// Makes a range reserved again whose pages nobody has a use for.
    fileprivate func reserveAgain(_ pages: HostPages) {
        do {
            try span.reserve(pages)
        } catch {
            // A kernel before 6.12 may have dropped what was there, and left a hole.
            _ = span.reserveHole(pages)
        }
    }
}
