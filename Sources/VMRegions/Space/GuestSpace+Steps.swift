import VMAddressSpace
import VMMemory

extension GuestSpace {
    /// Makes a change on the host.
    /// - Parameter timeout: how long locked pages are waited for.
    /// - Throws: `HostMemoryError`; nothing has changed then.
    func perform(_ step: HostStep, waitingUpTo timeout: Duration) throws(HostMemoryError) {
        try beforeStep?(step)
        switch step {
        case .unmap(let piece):
            try unmap(piece, waitingUpTo: timeout)
        case .map(let piece):
            try map(piece, waitingUpTo: timeout)
        case .protect(let piece, let old):
            guard piece.memory.isWritable != old.isWritable else { return }
            try reservation.protect(
                offset: piece.range.start.rawValue, count: piece.range.count, piece.protection, waitingUpTo: timeout)
        }
    }

    /// Provides the pages of memory that is mapped. An advice: what cannot be provided now is asked for again when it is
    /// touched.
    func prefetch(_ piece: BackedPiece) {
        try? reservation.populate(offset: piece.range.start.rawValue, count: piece.range.count)
    }

    private func unmap(_ piece: BackedPiece, waitingUpTo timeout: Duration) throws(HostMemoryError) {
        let offset = piece.range.start.rawValue
        guard !piece.backing.isShareable else {
            return try reservation.unmap(offset: offset, count: piece.range.count, waitingUpTo: timeout)
        }
        // Its pages are nowhere else: they are kept until they are seen again, or the backing goes.
        try reservation.move(
            offset: offset, count: piece.range.count, to: try piece.backing.parkingPlace(), at: piece.bytes.lowerBound,
            protection: .readWrite, waitingUpTo: timeout)
    }

    private func map(_ piece: BackedPiece, waitingUpTo timeout: Duration) throws(HostMemoryError) {
        var done = piece.bytes.lowerBound
        do {
            for parked in piece.backing.parkedRuns(in: piece.bytes) {
                try mapFresh(piece, done..<parked.lowerBound)
                done = parked.lowerBound
                try piece.backing.parkingPlace().move(
                    offset: parked.lowerBound, count: UInt64(parked.count), to: reservation,
                    at: piece.address(of: parked.lowerBound), protection: piece.protection)
                done = parked.upperBound
            }
            try mapFresh(piece, done..<piece.bytes.upperBound)
        } catch {
            if let part = piece.part(piece.bytes.lowerBound..<done) { try? unmap(part, waitingUpTo: timeout) }
            throw error
        }
    }

    /// Maps a part of a piece, given in bytes of the backing, that no parked pages are for.
    private func mapFresh(_ piece: BackedPiece, _ bytes: Range<UInt64>) throws(HostMemoryError) {
        guard !bytes.isEmpty else { return }
        try reservation.map(
            offset: piece.address(of: bytes.lowerBound), count: UInt64(bytes.count), piece.backing.memory,
            backingOffset: bytes.lowerBound, protection: piece.protection,
            transparentHugePages: piece.backing.usesTransparentHugePages)
    }
}

extension BackedPiece {
    /// The guest-physical address of an offset in the backing.
    fileprivate func address(of offset: UInt64) -> UInt64 {
        range.start.rawValue + (offset - memory.backingOffset)
    }

    /// A part, given in bytes of the backing; nil where it is empty.
    fileprivate func part(_ bytes: Range<UInt64>) -> BackedPiece? {
        guard !bytes.isEmpty else { return nil }
        let first = address(of: bytes.lowerBound)
        let part = MemoryRange(
            uncheckedFrom: GuestAddress(first), through: GuestAddress(first + UInt64(bytes.count) - 1))
        return BackedPiece(range: part, memory: memory.advanced(from: range, to: part), backing: backing)
    }
}
