import VMAddressSpace

/// The regions of a manager as they are planned, with the numbers that the planner knows their backings by.
///
/// A class, so that a manager can make it when somebody first asks, and change it in place from then on.
final class RegionPlanning {
    var planner: RegionPlanner
    private(set) var backings: NumberedBackings

    init(_ policy: OverlapPolicy, addressWidth: Int) {
        planner = RegionPlanner(policy: policy, addressWidth: addressWidth)
        backings = NumberedBackings()
    }

    /// Adds the regions that a manager begins with.
    /// - Throws: `backingInUseElsewhere`, `region`; this is of no use then.
    func add(_ definitions: [RegionDefinition], in host: GuestReservation) throws(RegionManagerError) {
        var changes: [RegionChange] = []
        changes.reserveCapacity(definitions.count)
        for definition in definitions {
            changes.append(try backings.number(definition, planner.makeRegionID(), in: host, &planner))
        }
        do throws(RegionError) {
            _ = try planner.plan(changes)
        } catch {
            throw .region(error)
        }
        forgetUnusedBackings()
    }

    /// Adds those that took no planning so far.
    func add(_ regions: PlainRegions) {
        regions.add(to: &planner, &backings)
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

extension RegionManager {
    /// How far the regions are planned.
    enum PlanningState {
        /// Not yet: they are as they were at first, and nobody has asked.
        case plain(PlainRegions, OverlapPolicy)
        case made(RegionPlanning)

        /// - Throws: `backingInUseElsewhere`, `region`.
        init(
            _ definitions: [RegionDefinition], _ addressWidth: Int, _ policy: OverlapPolicy, in host: GuestReservation
        ) throws(RegionManagerError) {
            if let plain = PlainRegions(definitions, addressWidth: addressWidth) {
                if let backing = plain.backing, !backing.claim(by: host) { throw .backingInUseElsewhere(backing.name) }
                self = .plain(plain, policy)
            } else {
                let planning = RegionPlanning(policy, addressWidth: addressWidth)
                try planning.add(definitions, in: host)
                self = .made(planning)
            }
        }

        /// What the guest sees.
        var pieces: [BackedPiece] {
            switch self {
            case .plain(let regions, _): regions.pieces
            case .made(let planning): planning.inForce
            }
        }
    }
}
