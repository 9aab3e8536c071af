import SystemPackage
import VMAddressSpace
import VMMemory

/// What a region manager begins with: regions that are planned, on the host, and in the first memory map.
///
/// Nobody uses any of it yet. So there is no map to replace, and nobody to wait for; and what fails leaves nothing behind.
struct FirstRegions {
    let space: GuestSpace
    let planner: RegionPlanner
    let backings: NumberedBackings
    let counters: RegionCounters
    private let content: PlanContent
    private let steps: [HostStep]

    /// - Throws: `faultHandlers`, `addressSpace`, `backingInUseElsewhere`, `region`, `memoryMap`, `failed`.
    init(
        _ definitions: [RegionDefinition], addressWidth: Int, policy: OverlapPolicy,
        beforeHostStep: GuestReservation.StepObserver? = nil
    ) throws(RegionManagerError) {
        let host = try GuestReservation(forManagerWith: addressWidth, beforeHostStep)
        var planner = RegionPlanner(policy: policy, addressWidth: addressWidth)
        var backings = NumberedBackings()
        var changes: [RegionUpdate.Change] = []
        for definition in definitions { changes += definition.changes(planner.makeRegionID()) }
        let numbered = try backings.number(changes, in: host, &planner)
        let plan: RegionPlan
        do throws(RegionError) {
            plan = try planner.plan(numbered)
        } catch {
            throw .region(error)
        }
        backings.forgetUnused(&planner)
        content = PlanContent(plan, in: host, backings)
        steps = HostStep.steps(unmapping: [], mapping: content.coming)
        let map: RegionMap
        do throws(RegionMapError) {
            map = try RegionMap(try host.regions(content.added))
        } catch {
            throw .memoryMap(error)
        }
        try host.performAll(steps)
        var counters = RegionCounters()
        if !steps.isEmpty { counters.count(plan, hostOperations: steps.count) }
        space = GuestSpace(host, map)
        self.planner = planner
        self.backings = backings
        self.counters = counters
    }

    /// Shows them to a partition, which has no memory.
    /// - Throws: `partition`. Nothing is left then on the host either.
    func show(to partition: any Partition) throws(RegionManagerError) {
        do throws(PartitionError) {
            try partition.mapAll(content.change.mapped)
        } catch {
            space.host.takeBackAll(steps)
            throw .partition(partition.name, error)
        }
    }

    /// Provides the pages that are to be there before the guest touches them.
    func prefetch() {
        for piece in content.prefetched { space.host.prefetch(piece) }
    }
}

extension GuestReservation {
    fileprivate convenience init(
        forManagerWith addressWidth: Int, _ beforeStep: StepObserver?
    ) throws(RegionManagerError) {
        do throws(Errno) {
            try GuestMemory.installFaultHandlersOnce()
        } catch {
            throw .faultHandlers(error)
        }
        do throws(HostMemoryError) {
            try self.init(addressWidth: addressWidth, beforeStep: beforeStep)
        } catch {
            throw .addressSpace(bits: addressWidth, error)
        }
    }

    fileprivate func performAll(_ steps: [HostStep]) throws(RegionManagerError) {
        for (index, step) in steps.enumerated() {
            do throws(HostStepFailure) {
                try perform(step, waitingUpTo: .zero)
            } catch {
                takeBackAll(steps[..<(error.isHalfDone ? index + 1 : index)])
                throw .failed(ChangeFailure(step, error))
            }
        }
    }

    /// Pages that can only be at one place go back to where they were. What cannot go back is lost with the reservation.
    fileprivate func takeBackAll(_ steps: some BidirectionalCollection<HostStep>) {
        for step in steps.reversed() { try? takeBack(step, waitingUpTo: .zero) }
    }
}
