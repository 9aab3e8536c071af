import VMAddressSpace

@testable import VMRegions

/// All that a planner knows: regions, view, and which pages of backings are where.
struct PlannerState: Equatable {
    private let regions: [Region]
    private let view: [ViewPiece]
    private let backings: [BackingState]
    private let unusedBackings: Set<BackingID>

    init(_ planner: RegionPlanner) {
        regions = planner.regions
        view = planner.view.pieces
        backings = planner.backings.all.map { id, _ in BackingState(id, planner) }
        unusedBackings = Set(planner.unusedBackings)
    }
}

private struct BackingState: Equatable {
    let id: BackingID
    let user: RegionID?
    let isUsed: Bool
    private(set) var uses: [[UInt64]] = []

    init(_ id: BackingID, _ planner: RegionPlanner) {
        self.id = id
        user = planner.user(of: id)?.id
        isUsed = planner.backings.isUsed(id)
        var uses: [[UInt64]] = []
        planner.backings.forEachUse(of: id, 0, .max) {
            uses.append([$0.first, $0.last, $0.region.rawValue, $0.offset])
        }
        self.uses = uses
    }
}
