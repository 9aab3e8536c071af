import VMAddressSpace

/// The regions of a manager as they are planned, with the numbers that the planner knows their backings by.
///
/// A class, so that a manager can make it when the first change comes, and change it in place from then on.
final class RegionPlanning {
    var planner: RegionPlanner
    private(set) var backings: NumberedBackings

    init(_ planner: RegionPlanner, _ backings: NumberedBackings) {
        self.planner = planner
        self.backings = backings
    }

    /// Of regions that took no planning so far.
    convenience init(_ regions: PlainRegions, _ policy: OverlapPolicy, addressWidth: Int) {
        var planner = RegionPlanner(policy: policy, addressWidth: addressWidth)
        var backings = NumberedBackings()
        regions.add(to: &planner, &backings)
        self.init(planner, backings)
    }

    /// The memory that the guest sees.
    var inForce: [BackedPiece] { backings.backed(planner.view.pieces) }

    /// The changes as the planner knows them.
    /// - Throws: `backingInUseElsewhere`.
    func numbered(
        _ changes: [RegionUpdate.Change], in host: GuestReservation
    ) throws(RegionManagerError) -> [RegionChange] {
        try backings.number(changes, in: host, &planner)
    }

    /// Lets go of the backings that no region has memory of.
    func forgetUnusedBackings() {
        backings.forgetUnused(&planner)
    }
}
