import VMAddressSpace
import VMHost
import VMMemory

/// The memory maps that a plan leads through.
struct MapVersions {
    let before: RegionMap
    /// With what stays, without what goes and what comes; nil where nothing goes.
    let between: RegionMap?
    let after: RegionMap

    init(_ content: PlanContent, in space: GuestSpace) throws(RegionMapError) {
        let before = space.memory.regionMap
        let removed = content.removed.map(\.range)
        let coming = content.coming.map(\.range)
        func changed(to pieces: [BackedPiece]) throws(RegionMapError) -> RegionMap {
            var regions: [any GuestMemoryRegion] = []
            for piece in pieces { regions.append(try space.region(piece)) }
            return try before.changing(removing: removed, inserting: regions)
        }
        let isChanged = !removed.isEmpty || !content.added.isEmpty
        let after = isChanged ? try changed(to: content.added) : before
        if content.unmapped.isEmpty {
            between = nil
        } else {
            between = coming.isEmpty ? after : try changed(to: content.added.subtracting(coming))
        }
        self.before = before
        self.after = after
    }
}

extension GuestSpace {
    /// A region of the memory map, for memory that is mapped, or about to be.
    func region(_ piece: BackedPiece) throws(RegionMapError) -> any GuestMemoryRegion {
        try MemoryRegion(
            piece.range, reservation, offset: piece.range.start.rawValue, isReadOnly: !piece.memory.isWritable,
            bitmap: piece.backing.bitmap.slice(at: piece.memory.backingOffset))
    }

    func publish(_ version: RegionMap) {
        map.lock().replace(with: version)
    }

    /// Waits until nobody uses ranges that the memory map in force does not have: neither a snapshot of an older one, nor
    /// pages that were locked.
    func waitUntilUnused(_ ranges: [MemoryRange], timeout: Duration) throws {
        try map.synchronize()
        let deadline = MonotonicTime.now.advanced(by: timeout)
        for range in ranges {
            guard
                try reservation.waitUntilUnlocked(
                    offset: range.start.rawValue, count: range.count, timeout: deadline - .now)
            else { throw PagesLocked(range: range, timeout: timeout) }
        }
    }
}
