import SystemPackage

/// The kernel's part of moving pages: what has been moved so far, to go on with or to undo.
///
/// Pages are moved while nobody can access them. The kernel leaves empty pages where they were, if anything, and what would be
/// written to those would be lost.
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
    mutating func move(_ parts: [MappedPiece], to pieces: [MappedPiece]) throws(Errno) {
        for part in parts { try source.pages(part.range).protect(.none) }
        for (part, piece) in zip(parts, pieces) { try move(part, to: piece) }
        for piece in pieces { try target.pages(piece.range).protect(piece.protection) }
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

    /// Moves all back.
    func undo(_ parts: [MappedPiece]) {
        for run in done.reversed() {
            if moveBack(run), !run.keepsAddresses {
                _ = target.span.reserveHole(run.target)
            } else {
                target.reserveAgain(run.target)
            }
        }
        for part in parts { try? source.pages(part.range).protect(part.protection) }
    }

    private func moveBack(_ run: Run) -> Bool {
        guard run.isSourceReserved else { return false }
        do {
            try run.target.move(to: run.source.base, keepingAddresses: run.keepsAddresses)
            return true
        } catch {
            _ = source.span.reserveHole(run.source)
            return false
        }
    }
}

extension SparseMapping {
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
