import SystemPackage
import VMHost

/// What changes are made of.
extension SparseMapping {
    /// Makes a change, none of the pages being locked where it takes some away.
    ///
    /// - Parameters:
    ///   - check: throws if the change is not possible; returns whether it takes pages away.
    ///   - apply: makes it in the kernel, and then in the table.
    func change(
        _ extent: PageExtent, _ operation: HostMemoryError.Operation, waitingUpTo timeout: Duration,
        check: (MappedPieces) throws(HostMemoryError) -> Bool,
        apply: (inout MappedPieces) throws(HostMemoryError) -> Void
    ) throws(HostMemoryError) {
        try retryWhileLocked(extent, operation, waitingUpTo: timeout) { () throws(HostMemoryError) in
            try table.withLock { (table) throws(HostMemoryError) -> Range<UInt64>? in
                guard try check(table) else {
                    try apply(&table)
                    return nil
                }
                if let locked = locks.claim(extent.pageNumbers) { return locked }
                defer { locks.release(extent.pageNumbers) }
                try apply(&table)
                return nil
            }
        }
    }

    /// Tries something again when pages are no longer locked that stood in its way.
    /// - Parameter attempt: returns a run of pages that are locked; nil where it is done.
    func retryWhileLocked(
        _ extent: PageExtent, _ operation: HostMemoryError.Operation, waitingUpTo timeout: Duration,
        _ attempt: () throws(HostMemoryError) -> Range<UInt64>?
    ) throws(HostMemoryError) {
        var deadline: MonotonicTime?
        while let locked = try attempt() {
            // Not with the table's lock: others can change other pages meanwhile.
            deadline = deadline ?? .now.advanced(by: timeout)
            guard timeout > .zero, let deadline, locks.waitUntilUnlocked(extent.pageNumbers, until: deadline) else {
                throw HostMemoryError(operation, extent.asked, .locked(PageLocks.bytes(locked)))
            }
        }
    }

    /// The parts of pieces in a range.
    /// - Throws: `notMapped` where they leave a gap, `misaligned` where the range cuts huge pages.
    func mappedParts(
        _ extent: PageExtent, _ operation: HostMemoryError.Operation, in table: MappedPieces
    ) throws(HostMemoryError) -> [MappedPiece] {
        if let gap = table.firstGap(in: extent.bytes) {
            throw HostMemoryError(operation, extent.asked, .notMapped(gap))
        }
        try checkCuts(extent, operation, in: table)
        return table.parts(in: extent.bytes)
    }

    /// - Throws: `misaligned` where the range cuts huge pages.
    func checkCuts(
        _ extent: PageExtent, _ operation: HostMemoryError.Operation, in table: MappedPieces
    ) throws(HostMemoryError) {
        if let piece = table.pieceCutWithinPage(by: extent.bytes) {
            throw HostMemoryError(operation, extent.asked, .misaligned(piece.pageSize))
        }
    }

    /// - Throws: `fileIsReadOnly` for a part of a file that is mapped shared and is not writable.
    func checkWritable(_ parts: [MappedPiece], _ operation: HostMemoryError.Operation) throws(HostMemoryError) {
        for part in parts {
            guard case .file(let shared, .shared) = part.backing, !shared.file.isWritable else { continue }
            let extent = HostMemoryError.Extent(offset: part.backingOffset, count: UInt64(part.range.count))
            throw HostMemoryError(operation, extent, file: shared.file.name, .fileIsReadOnly)
        }
    }

    /// Maps a piece in place of what is there.
    func place(_ piece: MappedPiece, _ source: PageSource, in table: inout MappedPieces) throws(HostMemoryError) {
        // A kernel before 6.12 drops what is there and then asks the file, or for huge pages: if they refuse, there is
        // a hole. So let them refuse elsewhere. Huge pages stay reserved for the file once they have been mapped.
        let replacesSomething = !table.parts(in: piece.range).isEmpty
        if source.file != nil, replacesSomething || source.pageSize != .size4K {
            _ = AddressSpan(owning: try source.map(piece.protection), count: source.count)
        }
        let pages = pages(piece.range)
        let isUntouched = table.isUntouched
        table.isUntouched = false
        if isUntouched, source.isLikeReserved, !piece.protection.contains(.execute) {
            try source.map(piece.protection, atReserved: pages)
        } else {
            do {
                try source.map(piece.protection, at: pages.base)
            } catch {
                if span.reserveHole(pages) { table.replace(piece.range, with: []) }
                throw error
            }
        }
        if piece.transparentHugePages { pages.adviseTransparentHugePages() }
        table.replace(piece.range, with: [piece])
    }

    /// Protects parts one by one; where one fails, those before it get back what they had.
    func protect(_ parts: [MappedPiece], _ protection: MemoryProtection) throws(Errno) {
        for (index, part) in parts.enumerated() {
            do {
                try pages(part.range).protect(protection)
            } catch {
                for done in parts[..<index] { try? pages(done.range).protect(done.protection) }
                throw error
            }
        }
    }

    /// Gives back the memory of a part.
    func decommit(_ part: MappedPiece) throws(HostMemoryError) {
        switch part.backing {
        case .file(let shared, .shared):
            try shared.file.punchHole(offset: part.backingOffset, count: UInt64(part.range.count))
        case .anonymous, .file(_, .copyOnWrite):
            do {
                try pages(part.range).discard()
            } catch {
                let extent = HostMemoryError.Extent(offset: part.range.lowerBound, count: UInt64(part.range.count))
                throw HostMemoryError(.decommit, extent, .system(error))
            }
        }
    }
}
