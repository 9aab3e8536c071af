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
        var runs: [LockedRun] = []
        try lock(LockRequest(first, count, purpose), &runs)
        return LockedMemory(runs, for: purpose)
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
        var runs: [LockedRun] = []
        try pages.forEachRun { (address, count, _) throws(GuestMemoryError) in
            do throws(GuestMemoryError) {
                try lock(LockRequest(guestPhysical(address), UInt64(count), purpose), &runs)
            } catch {
                throw self.error(error, of: pages, completed: 0)
            }
        }
        return LockedMemory(runs, for: purpose)
    }

    /// Locks the runs of a range and appends them; where one cannot be locked, all of `runs` are unlocked.
    private func lock(
        _ request: LockRequest, _ runs: inout [LockedRun]
    ) throws(GuestMemoryError) {
        var address = request.first
        while true {
            do throws(GuestMemoryError) {
                runs.append(try lockRun(request, at: address))
            } catch {
                for run in runs.reversed() { run.unlock() }
                throw error
            }
            guard let last = runs.last?.last, last < request.last else { return }
            address = last + 1
        }
    }

    private func lockRun(_ request: LockRequest, at address: UInt64) throws(GuestMemoryError) -> LockedRun {
        while true {
            let run = try findRun(request, at: address)
            do throws(GuestMemoryBackingError) {
                // No snapshot is held: this may wait.
                try run.lock(for: request.purpose)
            } catch {
                throw self.error(.lock, request.first, request.count, .backing(error), at: address)
            }
            // The map, and what the access bitmap says, may have changed before the lock held.
            do throws(GuestMemoryError) {
                if try findRun(request, at: address).region === run.region { return run }
            } catch {
                run.unlock()
                throw error
            }
            run.unlock()
        }
    }

    private func findRun(
        _ request: LockRequest, at address: UInt64
    ) throws(GuestMemoryError) -> LockedRun {
        switch map.memory().withMap({ $0.lockableRun(request, at: address) }) {
        case .run(let run): return run
        case .refused(let kind, let failing): throw error(.lock, request.first, request.count, kind, at: failing)
        }
    }
}
