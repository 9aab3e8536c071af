import VMAddressSpace

/// A move of pages between two reservations, or within one: what is checked, locked and recorded. `PageTransfer` moves them.
struct Relocation {
    let source: SparseMapping
    let sourceExtent: PageExtent
    let target: SparseMapping
    let targetExtent: PageExtent
    private let protection: MemoryProtection?
    private let areUnused: Bool
    private let support: MoveSupport

    private enum Outcome {
        /// The pieces, as they are now at the target.
        case moved([MappedPiece])
        /// By the numbers of pages of the source.
        case locked(Range<UInt64>)
        /// Some pages are at the target, and could not be moved back.
        case split([Stray], HostMemoryError)
    }

    /// Pages that could not be moved back.
    private struct Stray {
        /// Where they were.
        let source: Range<UInt64>
        /// What they are at the target.
        let piece: MappedPiece
    }

    init(
        from source: SparseMapping, _ sourceExtent: PageExtent, to target: SparseMapping, _ targetExtent: PageExtent,
        _ protection: MemoryProtection?, areUnused: Bool, _ support: MoveSupport
    ) {
        self.source = source
        self.sourceExtent = sourceExtent
        self.target = target
        self.targetExtent = targetExtent
        self.protection = protection
        self.areUnused = areUnused
        self.support = support
    }

    /// Makes the move, unless pages of the source are locked.
    /// - Returns: the first run of those; nil where the move is made.
    func attempt() throws(HostMemoryError) -> Range<UInt64>? {
        if source === target {
            return try source.table.withLock { (table) throws(HostMemoryError) in
                switch try relocate(table, table) {
                case .locked(let pages): return pages
                case .moved(let pieces):
                    table.replace(sourceExtent.bytes, with: [])
                    table.replace(targetExtent.bytes, with: pieces)
                    return nil
                case .split(let strays, let error):
                    for stray in strays {
                        table.replace(stray.source, with: [])
                        table.replace(stray.piece.range, with: [stray.piece])
                    }
                    throw error
                }
            }
        }
        // By address, so that two moves in opposite directions do not wait for each other.
        let isAscending = source.baseAddress < target.baseAddress
        let (lower, upper) = isAscending ? (source, target) : (target, source)
        return try lower.table.withLock { (lower) throws(HostMemoryError) in
            try upper.table.withLock { (upper) throws(HostMemoryError) in
                if isAscending {
                    try attempt(&lower, &upper)
                } else {
                    try attempt(&upper, &lower)
                }
            }
        }
    }

    private func attempt(
        _ sourceTable: inout MappedPieces, _ targetTable: inout MappedPieces
    ) throws(HostMemoryError) -> Range<UInt64>? {
        targetTable.isUntouched = false
        switch try relocate(sourceTable, targetTable) {
        case .locked(let pages): return pages
        case .moved(let pieces):
            sourceTable.replace(sourceExtent.bytes, with: [])
            targetTable.replace(targetExtent.bytes, with: pieces)
            return nil
        case .split(let strays, let error):
            for stray in strays {
                sourceTable.replace(stray.source, with: [])
                targetTable.replace(stray.piece.range, with: [stray.piece])
            }
            throw error
        }
    }

    private func relocate(
        _ sourceTable: MappedPieces, _ targetTable: MappedPieces
    ) throws(HostMemoryError) -> Outcome {
        let parts = try source.mappedParts(sourceExtent, .move, in: sourceTable)
        if let present = targetTable.parts(in: targetExtent.bytes).first {
            throw HostMemoryError(.moveTo, targetExtent.asked, .alreadyMapped(present.range))
        }
        if let protection, protection.contains(.write) { try source.checkWritable(parts, .move) }
        let pieces = parts.map(moved)
        if let piece = pieces.first(where: { $0.range.lowerBound & $0.pageSize.mask != 0 }) {
            throw HostMemoryError(.moveTo, targetExtent.asked, .misaligned(piece.pageSize))
        }
        if let locked = source.locks.claim(sourceExtent.pageNumbers) { return .locked(locked) }
        defer { source.locks.release(sourceExtent.pageNumbers) }
        return try transfer(parts, pieces)
    }

    /// A part of the source as it is to be at the target.
    private func moved(_ part: MappedPiece) -> MappedPiece {
        var piece = part
        let start = part.range.lowerBound - sourceExtent.bytes.lowerBound + targetExtent.bytes.lowerBound
        piece.range = start..<start + UInt64(part.range.count)
        piece.protection = protection ?? part.protection
        return piece
    }

    private func transfer(_ parts: [MappedPiece], _ pieces: [MappedPiece]) throws(HostMemoryError) -> Outcome {
        let spare: SpareMappings
        do throws(HostMemoryError) {
            spare = try SpareMappings()
        } catch {
            throw HostMemoryError(.move, sourceExtent.asked, error.reason)
        }
        var transfer = PageTransfer(from: source, to: target, support)
        do {
            try transfer.move(parts, to: pieces, areUnused: areUnused)
        } catch {
            // Found out while it is still so: the spare ones count.
            let reason = HostMemoryError.Reason(mapping: error)
            spare.giveUp()
            let stranded = transfer.undo(parts, pieces)
            guard let first = stranded.first else { throw HostMemoryError(.move, sourceExtent.asked, reason) }
            let strays = zip(parts, pieces).flatMap { part, piece in
                stranded.lazy.filter(part.range.overlaps).map {
                    Stray(source: $0.clamped(to: part.range), piece: piece.part(at: $0, of: part))
                }
            }
            return .split(strays, HostMemoryError(.move, sourceExtent.asked, .stranded(first, error)))
        }
        transfer.finish()
        return .moved(pieces)
    }
}
