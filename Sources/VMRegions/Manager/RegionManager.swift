import VMAddressSpace
import VMMemory

/// The regions of a guest's physical memory, in force: on the host, in the memory map of devices, and in partitions, such
/// as a KVM virtual machine.
///
/// ```
/// let manager = try RegionManager(addressWidth: 40)
/// try await manager.addPartition(partition)  // any `Partition`; that of a `Machine` on KVM has been added
/// let rom = try await manager.addRegion("rom", try MemoryRange(start: GuestAddress(0xf_0000), count: 0x1_0000), priority: 1)
/// try await rom.addMapping(of: try RegionBacking(memfd: "rom", byteCount: 0x1_0000), count: 0x1_0000, isWritable: false)
/// try await rom.map()
/// ```
///
/// - Each request is planned as a whole, by a `RegionPlanner`, then carried out; requests happen one after the other, in
///   the order they were made. A request that fails leaves everything as it was.
/// - Memory has a fixed place on the host for each guest-physical address, in one reservation. It is taken away from
///   there only when nobody uses it any more: no reader of an older memory map, no device that locked its pages.
/// - Devices that use memory which a change replaces find none there for the moment it takes, in which processors stand
///   still. Where only rights change, they find it with those it has before or after. Nothing is taken away while pages of
///   it are locked: the change waits up to `lockTimeout`, and then fails.
/// - Contents and dirty bits belong to the backings, so they survive being hidden, moved, or unmapped.
/// - What devices use is `memory`; only this manager changes its map.
///
/// A request may wait for devices and vCPUs, so the actor has a thread of its own. Programs without `async` code use
/// `withTurn`, on any thread but that of a vCPU. With the last reference to a manager, its regions go.
public actor RegionManager {
    /// The guest's memory, for devices and loaders.
    public nonisolated let memory: GuestMemory
    /// How many bits guest-physical addresses have.
    public nonisolated let addressWidth: Int
    let queue = RegionQueue()
    nonisolated let space: GuestSpace
    private var planningState: PlanningState
    private(set) var partitions: [any Partition]
    public private(set) var counters: RegionCounters
    /// Why a change failed, and could not be taken back all the way.
    private(set) var unfinished: (failure: ChangeFailure, restoring: ChangeFailure)?
    /// That change.
    private var unfinishedExecution: PlanExecution?
    /// Regions without a handle that could not be removed when it was dropped.
    private var orphans: Set<RegionID> = []
    /// Whether partitions and listeners are being called, which can ask for nothing meanwhile.
    private var isCallingOut = false
    var retries = Retries()
    /// How many keep the regions as they are.
    var holdCount = 0
    /// Whether contents of memory have yet to come.
    var isArriving = false
    /// How long a change waits for pages that are locked, and for readers of older memory maps.
    public var lockTimeout = Duration.seconds(10)

    /// - Parameters:
    ///   - addressWidth: how many bits guest-physical addresses have; as many addresses are reserved on the host, of
    ///     which a process has 2^47.
    ///   - policy: which regions may overlap.
    /// - Throws: `addressSpace`, `faultHandlers`.
    public init(addressWidth: Int, policy: OverlapPolicy = .layered) throws(RegionManagerError) {
        try self.init(addressWidth: addressWidth, policy: policy, beforeHostStep: nil)
    }

    init(
        addressWidth: Int, policy: OverlapPolicy, beforeHostStep: GuestReservation.StepObserver?
    ) throws(RegionManagerError) {
        self.init(
            try FirstRegions([], addressWidth: addressWidth, policy: policy, beforeHostStep: beforeHostStep),
            shownTo: [])
    }

    /// - Parameter partitions: that have been shown the regions.
    init(_ first: consuming FirstRegions, shownTo partitions: [any Partition]) {
        space = first.space
        memory = first.space.memory
        addressWidth = first.addressWidth
        planningState = first.planning
        counters = first.counters
        self.partitions = partitions
    }

    deinit {
        if retries.isPending { queue.cancelLater() }
        let ranges = Array(space.memory.regionMap.regions.lazy.map(\.range).merged())
        var isAllGone = unfinished == nil
        for partition in partitions where (try? partition.unmapAll(ranges)) == nil { isAllGone = false }
        // A guest would write to what is next at these addresses: they are never given back.
        if !isAllGone { _ = Unmanaged.passRetained(space) }
    }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

    /// Calls `body` with the manager, on the calling thread, once all earlier requests are done: for code that is not
    /// `async`. Within another such call it calls `body` at once. Partitions, and listeners of the memory map, must not
    /// call it: of what they ask for on the thread that called them, changes are refused (`withinChange`).
    public nonisolated func withTurn<Result: Sendable>(
        _ body: @Sendable (isolated RegionManager) throws(RegionManagerError) -> Result
    ) throws(RegionManagerError) -> Result {
        try queue.withTurn { () throws(RegionManagerError) in
            try withoutActuallyEscaping(body) { (body) throws(RegionManagerError) in
                // SAFETY: as `assumeIsolated` does it, but for looking whether this thread has the turn: it was just given it. The
                // type differs in the isolation alone, which is no part of how a function is called.
                try unsafeBitCast(body, to: ((RegionManager) throws(RegionManagerError) -> Result).self)(self)
            }
        }
    }

    // MARK: Partitions

    /// Shows a partition the memory there is, and from now on each change. One that is shown it already is passed over.
    /// - Throws: `partition`; it has no memory then.
    public func addPartition(_ partition: any Partition) throws(RegionManagerError) {
        try finishUnwinding()
        guard !partitions.contains(where: { $0 === partition }) else { return }
        let mappings = inForce.map(space.host.partitionMapping)
        do throws(PartitionError) {
            try callingOut { () throws(PartitionError) in try partition.mapAll(mappings) }
        } catch {
            throw .partition(partition.name, error)
        }
        partitions.append(partition)
    }

    /// Takes all memory away from a partition, and tells it no more.
    /// - Throws: `partition`; it then has its memory, and is told of changes. One that was not added is passed over.
    public func removePartition(_ partition: any Partition) throws(RegionManagerError) {
        try finishUnwinding()
        guard let index = partitions.firstIndex(where: { $0 === partition }) else { return }
        let ranges = Array(inForce.map(\.range).merged())
        do throws(PartitionError) {
            try callingOut { () throws(PartitionError) in try partition.unmapAll(ranges) }
        } catch {
            throw .partition(partition.name, error)
        }
        partitions.remove(at: index)
    }

    /// Where partitions say which pages were written.
    public nonisolated var dirtyLog: DirtyLogSink { DirtyLogSink(space: space) }

    /// The regions as they are planned; made with the first question for it.
    var planning: RegionPlanning {
        switch planningState {
        case .made(let planning):
            return planning
        case .plain(let regions, let policy):
            let planning = RegionPlanning(policy, addressWidth: addressWidth)
            planning.add(regions)
            planningState = .made(planning)
            return planning
        }
    }

    /// The memory that the guest sees.
    var inForce: [BackedPiece] { planning.inForce }

    // MARK: Changes

    /// Plans changes and carries them out, all or nothing.
    /// - Parameter timeout: nil for `lockTimeout`.
    func make(_ changes: [RegionUpdate.Change], waitingUpTo timeout: Duration? = nil) throws(RegionManagerError) {
        guard holdCount == 0 else { throw .held }
        try finishUnwinding()
        if hasOrphans {
            removeOrphans()
            // That may have failed, too.
            try finishUnwinding()
        }
        // Only now: with each change, backings that nothing uses lose their numbers.
        try makeNow(try numbered(changes), waitingUpTo: timeout)
    }

    private func makeNow(_ changes: [RegionChange], waitingUpTo timeout: Duration?) throws(RegionManagerError) {
        defer { forgetUnusedBackings() }
        let planning = planning
        let plan: RegionPlan
        do throws(RegionError) {
            plan = try planning.planner.plan(changes)
        } catch {
            counters.refused += 1
            throw .region(error)
        }
        guard !plan.removed.isEmpty || !plan.added.isEmpty else { return }
        let execution: PlanExecution
        do throws(RegionMapError) {
            execution = try PlanExecution(
                plan, of: planning.backings, in: space, partitions, waitingUpTo: timeout ?? lockTimeout)
        } catch {
            planning.planner.undo(plan)
            throw .memoryMap(error)
        }
        do throws(ChangeFailure) {
            try callingOut { () throws(ChangeFailure) in try execution.run() }
        } catch {
            planning.planner.undo(plan)
            counters.failed += 1
            try unwind(execution, after: error)
            throw .failed(error)
        }
        execution.count(in: &counters)
    }

    private func unwind(
        _ execution: PlanExecution, after failure: ChangeFailure
    ) throws(RegionManagerError) {
        do throws(ChangeFailure) {
            try callingOut { () throws(ChangeFailure) in try execution.unwind() }
        } catch {
            unfinished = (failure, error)
            unfinishedExecution = execution
            retryLater()
            throw .notRestored(failure, restoring: error)
        }
    }

    /// Goes on with taking back what failed before.
    /// - Throws: also where a change is under way.
    func finishUnwinding() throws(RegionManagerError) {
        guard !isCallingOut else { throw .withinChange }
        guard let unfinished, let execution = unfinishedExecution else { return }
        self.unfinished = nil
        unfinishedExecution = nil
        try unwind(execution, after: unfinished.failure)
    }

    private func callingOut<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        isCallingOut = true
        defer { isCallingOut = false }
        try body()
    }

    /// Whether a change that failed could not be taken back all the way yet.
    var isUnfinished: Bool { unfinished != nil }

    // MARK: Backings

    /// The changes as the planner knows them.
    private func numbered(_ changes: [RegionUpdate.Change]) throws(RegionManagerError) -> [RegionChange] {
        do throws(RegionManagerError) {
            return try planning.numbered(changes, in: space.host)
        } catch {
            forgetUnusedBackings()
            throw error
        }
    }

    private func forgetUnusedBackings() {
        // A change that is not taken back yet needs what it names.
        if unfinished == nil { planning.forgetUnusedBackings() }
    }

    // MARK: Handles that were dropped

    /// Removes a region whose handle is gone; where that fails, it is tried again later.
    func removeDropped(_ id: RegionID) {
        guard planning.planner.hasRegion(id) else { return }
        orphans.insert(id)
        settle()
    }

    func removeOrphans() {
        guard holdCount == 0 else { return }
        for id in orphans {
            guard !planning.planner.hasRegion(id) || (try? makeNow([.remove(id)], waitingUpTo: .zero)) != nil else {
                if isUnfinished { return }
                continue
            }
            orphans.remove(id)
        }
    }

    var hasOrphans: Bool { !orphans.isEmpty }

    /// The regions without a handle that could not be removed yet, the oldest first.
    var orphanedRegions: [Region] { orphans.sorted().compactMap { planning.planner.region($0) } }
}
