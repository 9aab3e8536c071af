import VMAddressSpace

extension GuestMemory {
    /// Locks a range, so that it can be accessed by host addresses: in as few pieces as it has regions.
    ///
    /// Whoever unmaps memory in place (`SparseMapping`) is refused, or waits, while its pages are locked. So does whoever
    /// takes rights away by an access bitmap, to be sure: set the bits, then look whether the pages are locked.
    /// - Throws: `GuestMemoryError` where not all of it is memory, can be used for the purpose, or has host addresses.
    ///   Nothing is locked then.
    public func lock(
        _ address: GuestAddress, count: UInt64, for purpose: Purpose
    ) throws(GuestMemoryError) -> LockedMemory {
        guard count > 0 else { return LockedMemory([], for: purpose) }
        let first = try requireMemory(.lock, address, count)
        var pieces: [LockedMemory.Piece] = []
        try lock(LockRequest(first, count, purpose), &pieces)
        return LockedMemory(pieces, for: purpose)
    }

    /// Locks 4 KiB page frames, in the order of a list; those that follow one another become one piece.
    /// - Parameter frames: their numbers, by the addresses of this handle.
    /// - Throws: as for a range; `badPageList` where a number is past the last address.
    public func lock(frames: [UInt64], for purpose: Purpose) throws(GuestMemoryError) -> LockedMemory {
        let count = UInt64(frames.count) << PageSize.size4K.shift
        guard let pages = PagedRange(frames: frames, count: count) else {
            throw error(.lock, base, count, .badPageList, at: base)
        }
        try requireMemory(.lock, pages)
        var pieces: [LockedMemory.Piece] = []
        try pages.forEachRun { (address, count, _) throws(GuestMemoryError) in
            do throws(GuestMemoryError) {
                try lock(LockRequest(guestPhysical(address), UInt64(count), purpose), &pieces)
            } catch {
                throw self.error(error, of: pages, completed: 0)
            }
        }
        return LockedMemory(pieces, for: purpose)
    }

    /// Locks the pieces of a range and appends them; where one cannot be locked, all of `pieces` are unlocked.
    private func lock(
        _ request: LockRequest, _ pieces: inout [LockedMemory.Piece]
    ) throws(GuestMemoryError) {
        var address = request.first
        while true {
            do throws(GuestMemoryError) {
                pieces.append(try lockPiece(request, at: address))
            } catch {
                for piece in pieces.reversed() { piece.unlock() }
                throw error
            }
            guard let last = pieces.last?.last, last < request.last else { return }
            address = last + 1
        }
    }

    private func lockPiece(_ request: LockRequest, at address: UInt64) throws(GuestMemoryError) -> LockedMemory.Piece {
        while true {
            let piece = try findPiece(request, at: address)
            do throws(GuestMemoryBackingError) {
                // No snapshot is held: this may wait.
                try piece.lock(for: request.purpose)
            } catch {
                throw self.error(.lock, request.first, request.count, .backing(error), at: address)
            }
            // The map, and what the access bitmap says, may have changed before the lock held.
            do throws(GuestMemoryError) {
                if try findPiece(request, at: address).region === piece.region { return piece }
            } catch {
                piece.unlock()
                throw error
            }
            piece.unlock()
        }
    }

    private func findPiece(
        _ request: LockRequest, at address: UInt64
    ) throws(GuestMemoryError) -> LockedMemory.Piece {
        switch map.memory().withMap({ $0.lockablePiece(request, at: address) }) {
        case .piece(let piece): return piece
        case .refused(let kind, let failing): throw error(.lock, request.first, request.count, kind, at: failing)
        }
    }
}
