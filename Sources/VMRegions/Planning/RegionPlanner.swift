import VMAddressSpace

/// Regions of guest-physical memory, the flat view that a guest has of them, and how to get from one view to the next.
/// A value: nothing is mapped anywhere by it.
///
/// Regions have priorities; of those that are mapped and overlap, the one with the highest is seen, of equal ones the
/// oldest. The idea of rendering prioritised regions into one flat, disjoint view, and of applying only the difference
/// between two views, is QEMU's (docs/devel/memory.rst).
///
/// A change costs O(log n) in the number of regions, and what it changes.
public struct RegionPlanner: Sendable {
    /// Which regions may overlap.
    public let policy: OverlapPolicy
    /// How many bits guest-physical addresses have, 12 to 64.
    public let addressWidth: Int
    /// What the guest sees now.
    public private(set) var view = FlatView()
    var index = RegionIndex()
    var backings = BackingTable()
    var numbers = RegionNumbers()

    /// - Parameter addressWidth: clamped to 12 to 64.
    public init(policy: OverlapPolicy = .layered, addressWidth: Int = 64) {
        self.policy = policy
        self.addressWidth = Self.clamped(addressWidth: addressWidth)
    }

    static func clamped(addressWidth: Int) -> Int { min(max(addressWidth, Int(PageSize.size4K.shift)), 64) }

    /// All regions, by where they start; those that start together, the oldest first.
    public var regions: [Region] { index.all }

    /// A region by its number.
    public func region(_ id: RegionID) -> Region? { index[id] }

    /// Whether there is a region with a number.
    func hasRegion(_ id: RegionID) -> Bool { index.contains(id) }

    /// A number for a new region, which was never made before. It is spent when a plan adds the region, unless that is
    /// undone.
    public mutating func makeRegionID() -> RegionID { numbers.make() }

    /// Takes back a number that no region has got, and that none is to get.
    public mutating func discard(_ id: RegionID) { numbers.use(id) }

    // MARK: Backings

    /// Adds something that memory can come from.
    public mutating func addBacking(_ description: BackingDescription) -> BackingID {
        backings.add(description)
    }

    /// Removes a backing that no mapping uses any more.
    /// - Throws: `noSuchBacking`, `backingInUse`.
    public mutating func removeBacking(_ id: BackingID) throws(RegionError) {
        let description = try backings.description(of: id)
        if backings.isUsed(id), let user = user(of: id) {
            throw .backingInUse(description.name, by: RegionError.Name(user))
        }
        backings.remove(id)
    }

    /// The oldest region with a mapping of a backing.
    func user(of id: BackingID) -> Region? {
        let users = regions.filter { region in region.mappings.contains { $0.backing == id } }
        return users.min { $0.id < $1.id }
    }

    /// The backings that no region has a mapping of, and that could be removed, in no order.
    public var unusedBackings: [BackingID] { backings.unused }

    /// A backing by its number.
    public func backing(_ id: BackingID) -> BackingDescription? { backings[id] }

    // MARK: Plans

    /// Makes changes, one after the other and all or nothing, and says how to get to the view that they lead to. The
    /// planner is there already; `undo(_:)` takes it back.
    /// - Throws: `RegionError`, of the first change that cannot be made; nothing has changed then.
    public mutating func plan(_ changes: [RegionChange]) throws(RegionError) -> RegionPlan {
        var transaction = RegionTransaction()
        do throws(RegionError) {
            for change in changes { try apply(change, &transaction) }
        } catch {
            restore(transaction.previous)
            throw error
        }
        var step = ViewStep()
        for range in transaction.touchedRanges { step.append(render(range)) }
        return RegionPlan(removed: step.removed, added: step.added, previous: transaction.previous)
    }

    /// Takes back the last plan that has not been taken back: regions and view are as they were before. The backings whose
    /// mappings it took away must still be there.
    public mutating func undo(_ plan: RegionPlan) {
        restore(plan.previous)
        view.replace(plan.added, with: plan.removed)
    }

    /// Adds a region for which nothing has to be planned: it is right, apart from all others, and memory all over, so that the
    /// guest sees it as one piece.
    /// - Parameter memory: that of the piece.
    mutating func add(whole region: Region, seenAs memory: PieceMemory) {
        numbers.use(region.id)
        set(region.id, from: nil, to: region)
        view.replace([], with: [ViewPiece(range: region.range, region: region.id, memory: memory)])
    }

    private mutating func restore(_ previous: [PreviousRegion]) {
        for before in previous.reversed() {
            set(before.id, from: index[before.id], to: before.region)
            if before.region == nil { numbers.giveBack(before.id) }
        }
    }

    /// Puts a region, or nothing, in the place of what had its number.
    mutating func set(_ id: RegionID, from old: Region?, to new: Region?) {
        let (oldMappings, newMappings) = (old?.mappings ?? [], new?.mappings ?? [])
        // Mostly they are one array, which takes no comparison.
        if oldMappings != newMappings { backings.replace(oldMappings, with: newMappings, of: id) }
        index.set(id, from: old, to: new)
    }

    /// Brings the view up to date in a range.
    private mutating func render(_ range: MemoryRange) -> ViewStep {
        let old = view.pieces(touching: range)
        var new: [ViewPiece] = []
        // What reaches beyond the range stays; what ends or begins next to it may now go on in it.
        for piece in old {
            guard let below = piece.range.subtracting(range).below else { break }
            new.append(piece.part(in: below))
        }
        index.render(range, into: &new)
        for piece in old {
            guard let above = piece.range.subtracting(range).above else { continue }
            new.appendJoining(piece.part(in: above))
        }
        let step = ViewStep(from: old, to: new)
        view.replace(step.removed, with: step.added)
        return step
    }
}
