extension RegionManager {
    /// The whole state.
    public func inspect() -> RegionInspection {
        let planner = planning.planner
        return RegionInspection(
            addressWidth: addressWidth, policy: planner.policy, regions: planner.inspectedRegions,
            view: planner.inspectedView, backings: planning.backings.all.map(inspect),
            partitions: partitions.map(\.inspection),
            orphans: orphanedRegions.map { RegionInspection.Orphan(id: $0.id, name: $0.name) },
            unfinished: unfinished.map { unfinished in
                RegionInspection.UnfinishedChange(
                    failure: "\(unfinished.failure)", restoring: "\(unfinished.restoring)")
            }, counters: counters)
    }

    private func inspect(_ backing: RegionBacking) -> RegionInspection.Backing {
        let parked = backing.parkedRuns(in: 0..<backing.byteCount)
        return RegionInspection.Backing(
            name: backing.name, byteCount: backing.byteCount, writable: backing.isWritable,
            shareable: backing.isShareable, parkedByteCount: parked.reduce(0) { $0 + UInt64($1.count) },
            dirtyPageCount: backing.bitmap.dirtyPageCount())
    }
}
