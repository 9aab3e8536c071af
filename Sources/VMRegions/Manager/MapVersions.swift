import VMAddressSpace
import VMHost
import VMMemory

/// The memory maps that a plan leads through.
struct MapVersions {
    let before: RegionMap
    /// Without what goes and what comes; what stays has the rights that it has both before and after. Nil where devices
    /// lose nothing.
    let between: RegionMap?
    let after: RegionMap

    init(_ content: PlanContent, in space: GuestSpace) throws(RegionMapError) {
        let before = space.memory.regionMap
        let removed = content.removed.map(\.range)
        func changed(to pieces: [BackedPiece]) throws(RegionMapError) -> RegionMap {
            try before.changing(removing: removed, inserting: try space.host.regions(pieces))
        }
        let isChanged = !removed.isEmpty || !content.added.isEmpty
        let after = isChanged ? try changed(to: content.added) : before
        if content.withdrawn.isEmpty {
            between = nil
        } else if content.granted.isEmpty {
            between = after
        } else {
            let coming = content.coming.map(\.range)
            let pieces = content.added.subtracting(coming) + content.staying.map(\.common)
            between = try changed(to: pieces.sorted { $0.range.start < $1.range.start })
        }
        self.before = before
        self.after = after
    }
}

extension GuestSpace {
    func publish(_ version: RegionMap) {
        map.lock().replace(with: version)
    }

    /// Waits until the pages of some ranges are unlocked.
    /// - Throws: `PagesLocked`, which says so of a timeout.
    func waitUntilUnlocked(
        _ ranges: [MemoryRange], until deadline: MonotonicTime, of timeout: Duration
    ) throws(ChangeFailure) {
        for range in ranges {
            do {
                // Mostly nothing is locked, and no clock has to be read.
                guard try reservation.isLocked(offset: range.start.rawValue, count: range.count) else { continue }
                guard
                    try reservation.waitUntilUnlocked(
                        offset: range.start.rawValue, count: range.count, timeout: deadline - .now)
                else { throw PagesLocked(range: range, timeout: timeout) }
            } catch {
                throw ChangeFailure(withdrawing: [range], reason: error)
            }
        }
    }

    /// Waits until nobody reads a memory map, or one before it, that others have replaced by now.
    /// - Throws: `MapInUse`, which says so of a timeout; `SnapshotHeldByCaller`.
    func waitUntilUnread(
        _ ranges: [MemoryRange], until deadline: MonotonicTime, of timeout: Duration
    ) throws(ChangeFailure) {
        guard map.isOlderMapRead else { return }
        do {
            guard try map.synchronize(waitingUpTo: deadline - .now) else { throw MapInUse(timeout: timeout) }
        } catch {
            throw ChangeFailure(withdrawing: ranges, reason: error)
        }
    }
}

extension ChangeFailure {
    fileprivate init(withdrawing ranges: [MemoryRange], reason: any Error) {
        self.init(operation: .withdraw, ranges: ranges, place: "the memory map", reason: reason)
    }
}
