import VMAddressSpace

extension RegionManager {
    /// Makes a region, which is not mapped yet and has no memory.
    /// - Parameters:
    ///   - name: for people.
    ///   - priority: of regions that overlap, the one with the highest is seen; of equal ones, the oldest.
    /// - Returns: what keeps the region: it goes with its handle.
    /// - Throws: `RegionManagerError.region`: `overlap` under `OverlapPolicy.nested`, `beyondAddressWidth`.
    public func addRegion(
        _ name: String, _ range: MemoryRange, priority: UInt8 = 0
    ) throws(RegionManagerError) -> RegionHandle {
        try addRegions([RegionDefinition(name, range, priority: priority)])[0]
    }

    /// Makes regions, complete with their memory, all in one change.
    /// - Returns: what keeps them, in their order.
    /// - Throws: `RegionManagerError`; nothing has changed then.
    public func addRegions(_ definitions: [RegionDefinition]) throws(RegionManagerError) -> [RegionHandle] {
        let ids = definitions.map { _ in planning.planner.makeRegionID() }
        do throws(RegionManagerError) {
            try make(zip(ids, definitions).map { .add($0, $1) })
        } catch {
            for id in ids { planning.planner.discard(id) }
            throw error
        }
        return ids.map { RegionHandle($0, of: self) }
    }

    /// Makes several changes at once: one plan, all or nothing, and no moment at which the guest sees one without the
    /// others.
    /// - Throws: `RegionManagerError`; nothing has changed then.
    public func apply(_ update: RegionUpdate) throws(RegionManagerError) {
        for region in update.regions where !region.belongs(to: self) { throw .foreignRegion(region.id) }
        try make(update.changes)
        for region in update.regions where !planning.planner.hasRegion(region.id) { region.noteRemoval() }
    }

    /// Removes a region, and waits until nobody uses its memory.
    /// - Parameter timeout: nil for as long as it takes.
    func tearDown(_ region: RegionHandle, waitingUpTo timeout: Duration?) throws(RegionManagerError) {
        // Longer than any machine runs.
        try make([.plain(.remove(region.id))], waitingUpTo: timeout ?? .seconds(1 << 32))
        region.noteRemoval()
    }
}
