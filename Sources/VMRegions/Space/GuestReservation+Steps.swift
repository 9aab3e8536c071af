import VMAddressSpace
import VMMemory

/// A step on the host that failed.
struct HostStepFailure: Error {
    let error: HostMemoryError
    /// Whether part of it is made, and could not be taken back.
    let isHalfDone: Bool
}

extension GuestReservation {
    /// Makes a change on the host.
    /// - Parameter timeout: how long locked pages are waited for.
    func perform(_ step: HostStep, waitingUpTo timeout: Duration) throws(HostStepFailure) {
        do throws(HostMemoryError) {
            try beforeStep?(step)
            try make(step, waitingUpTo: timeout)
        } catch {
            throw HostStepFailure(error: error, isHalfDone: (try? unmake(step, waitingUpTo: timeout)) == nil)
        }
    }

    /// Takes a change back, or what there is of it. The call can be repeated where it fails.
    func takeBack(_ step: HostStep, waitingUpTo timeout: Duration) throws(HostMemoryError) {
        try beforeStep?(step.inverse)
        try unmake(step, waitingUpTo: timeout)
    }

    private func make(_ step: HostStep, waitingUpTo timeout: Duration) throws(HostMemoryError) {
        switch step {
        case .unmap(let piece):
            try unmap(piece, waitingUpTo: timeout)
        case .map(let piece):
            try map(piece)
        case .protect(let piece, let old):
            guard piece.memory.isWritable != old.isWritable else { return }
            try mapping.protect(
                offset: piece.range.start.rawValue, count: piece.range.count, piece.protection, waitingUpTo: timeout)
        }
    }

    /// Takes back what there is of a change.
    private func unmake(_ step: HostStep, waitingUpTo timeout: Duration) throws(HostMemoryError) {
        switch step {
        case .unmap(let piece):
            for gap in gaps(in: piece.range) { if let part = piece.part(in: gap) { try map(part) } }
        case .map(let piece):
            for range in mappedRanges(in: piece.range) {
                if let part = piece.part(in: range) { try unmap(part, waitingUpTo: timeout) }
            }
        case .protect:
            try make(step.inverse, waitingUpTo: timeout)
        }
    }

    private func mappedRanges(in range: MemoryRange) -> [MemoryRange] {
        let start = range.start.rawValue
        return mapping.pieces(in: start..<start + range.count).map { piece in
            MemoryRange(
                uncheckedFrom: GuestAddress(piece.range.lowerBound), through: GuestAddress(piece.range.upperBound - 1))
        }
    }

    private func gaps(in range: MemoryRange) -> [MemoryRange] {
        Array(range.subtracting(mappedRanges(in: range)))
    }

    /// Provides the pages of memory that is mapped. An advice: what cannot be provided now is asked for again when it is
    /// touched.
    func prefetch(_ piece: BackedPiece) {
        try? mapping.populate(offset: piece.range.start.rawValue, count: piece.range.count)
    }

    private func unmap(_ piece: BackedPiece, waitingUpTo timeout: Duration) throws(HostMemoryError) {
        let offset = piece.range.start.rawValue
        guard !piece.backing.isShareable else {
            return try mapping.unmap(offset: offset, count: piece.range.count, waitingUpTo: timeout)
        }
        // Its pages are nowhere else: they are kept until they are seen again, or the backing goes.
        try mapping.move(
            offset: offset, count: piece.range.count, to: try piece.backing.parkingPlace(), at: piece.bytes.lowerBound,
            protection: .readWrite, waitingUpTo: timeout)
    }

    /// Maps a piece, or some of it where it fails.
    private func map(_ piece: BackedPiece) throws(HostMemoryError) {
        var done = piece.bytes.lowerBound
        for parked in piece.backing.parkedRuns(in: piece.bytes) {
            try mapFresh(piece, done..<parked.lowerBound)
            try piece.backing.parkingPlace().move(
                offset: parked.lowerBound, count: UInt64(parked.count), to: mapping,
                at: piece.address(of: parked.lowerBound), protection: piece.protection)
            done = parked.upperBound
        }
        try mapFresh(piece, done..<piece.bytes.upperBound)
    }

    /// Maps a part of a piece, given in bytes of the backing, that no parked pages are for.
    private func mapFresh(_ piece: BackedPiece, _ bytes: Range<UInt64>) throws(HostMemoryError) {
        var start = bytes.lowerBound
        while start < bytes.upperBound {
            let count = try piece.backing.placePreallocated(
                start..<bytes.upperBound, in: mapping, at: piece.address(of: start), protection: piece.protection)
            guard count > 0 else { break }
            start += count
        }
        guard start < bytes.upperBound else { return }
        try mapping.map(
            offset: piece.address(of: start), count: bytes.upperBound - start, piece.backing.memory,
            backingOffset: piece.backing.fileOffset + start, protection: piece.protection,
            transparentHugePages: piece.backing.usesTransparentHugePages)
    }
}

extension BackedPiece {
    /// The guest-physical address of an offset in the backing.
    fileprivate func address(of offset: UInt64) -> UInt64 {
        range.start.rawValue + (offset - memory.backingOffset)
    }
}
