import VMAddressSpace
import VMHost
import VMMemory

/// A plan being carried out, step by step: on the memory map, on the host, and in the partitions. Where a step fails,
/// `unwind()` takes those before it back.
///
/// What goes is taken from the devices (the memory map) first, then from the partitions, then from the host; what comes
/// is there in the opposite order, but for the partitions, whose guests would use it first.
///
/// Devices that lose memory lose it only once its pages are unlocked and the partitions' processors stand still, where
/// they have to: what is replaced is away from devices for as long as the steps take. Pages that are locked, and maps that
/// are read, by who was quicker are waited for only for a moment then, before it is all tried again.
final class PlanExecution {
    private enum Step {
        case withdraw
        case begin(Int)
        case unmap(Int)
        /// By its index among the host's.
        case host(Int)
        case publish
        /// From here on, dirty logs are about the memory after the change.
        case turnLogs
        case map(Int)
    }

    private let space: GuestSpace
    private let partitions: [any Partition]
    private let content: PlanContent
    private let maps: MapVersions
    private let hostSteps: [HostStep]
    private let steps: [Step]
    /// How many of the steps have been made and not been taken back.
    private var done = 0
    /// How long pages that are locked, and readers of older memory maps, are waited for in all.
    private let timeout: Duration
    /// How long while devices and processors miss the memory.
    private var patience = Duration.milliseconds(1)
    private static let longestPatience = Duration.milliseconds(16)

    init(
        _ plan: RegionPlan, of backings: NumberedBackings, in space: GuestSpace, _ partitions: [any Partition],
        waitingUpTo timeout: Duration
    ) throws(RegionMapError) {
        let content = PlanContent(plan, in: space.host, backings)
        self.space = space
        self.partitions = partitions
        self.timeout = timeout
        let maps = try MapVersions(content, in: space)
        let hostSteps = HostStep.steps(unmapping: content.going, mapping: content.coming)
        var steps: [Step] = []
        steps.reserveCapacity(3 * partitions.count + hostSteps.count + 3)
        if !content.isEmpty {
            for index in partitions.indices { steps.append(.begin(index)) }
            if maps.between != nil { steps.append(.withdraw) }
            if !content.unmapped.isEmpty { for index in partitions.indices { steps.append(.unmap(index)) } }
            for index in hostSteps.indices { steps.append(.host(index)) }
        }
        if maps.after !== maps.between ?? maps.before { steps.append(.publish) }
        steps.append(.turnLogs)
        if !content.coming.isEmpty { for index in partitions.indices { steps.append(.map(index)) } }
        self.content = content
        self.maps = maps
        self.hostSteps = hostSteps
        self.steps = steps
    }

    /// Counts it as done.
    func count(in counters: inout RegionCounters) {
        counters.countChange(
            unmaps: content.unmapped.count, maps: content.coming.count, hostOperations: hostSteps.count)
    }

    /// Makes all steps.
    /// - Throws: what the first that fails says; those before it are made.
    func run() throws(ChangeFailure) {
        if content.withdrawn.isEmpty { try makeSteps() } else { try makeStepsWhenUnused() }
        for partition in partitions where !content.isEmpty { partition.end() }
        // Not before the processors run again: it can take seconds.
        for piece in content.prefetched { space.host.prefetch(piece) }
    }

    private func makeStepsWhenUnused() throws(ChangeFailure) {
        let deadline = MonotonicTime.now.advanced(by: timeout)
        while true {
            try space.waitUntilUnlocked(content.withdrawn, until: deadline, of: timeout)
            do throws(ChangeFailure) {
                return try makeSteps()
            } catch {
                guard error.isOfUse, .now < deadline else { throw error }
            }
            try unwind()
            // Here, where nobody misses anything, a reader may take its time.
            try space.waitUntilUnread(content.withdrawn, until: deadline, of: timeout)
            patience = min(patience * 2, Self.longestPatience)
        }
    }

    private func makeSteps() throws(ChangeFailure) {
        while done < steps.count {
            do throws(ChangeFailure) {
                try perform(steps[done])
            } catch {
                if error.isHalfDone { done += 1 }
                throw error
            }
            done += 1
        }
    }

    /// Takes back, the last first, what has been made.
    /// - Throws: what a step says that cannot be taken back now; the call can be repeated.
    func unwind() throws(ChangeFailure) {
        while done > 0 {
            try takeBack(steps[done - 1])
            done -= 1
        }
    }

    private func perform(_ step: Step) throws(ChangeFailure) {
        switch step {
        case .withdraw:
            guard let between = maps.between else { return }
            do throws(ChangeFailure) {
                try publish(between, withdrawing: content.withdrawn, waitingUpTo: patience)
            } catch {
                space.publish(maps.before)
                throw error
            }
        case .begin(let index):
            try partition(index, .prepare, content.change.allRanges) { (partition) throws(PartitionError) in
                try partition.begin(content.change)
            }
        case .unmap(let index):
            try unmap(content.unmapped, in: index)
        case .host(let index):
            try perform(hostSteps[index])
        case .publish:
            space.publish(maps.after)
        case .turnLogs:
            space.shown.withLock { $0 = maps.after }
        case .map(let index):
            try map(content.change.mapped, in: index)
        }
    }

    private func takeBack(_ step: Step) throws(ChangeFailure) {
        switch step {
        case .withdraw:
            space.publish(maps.before)
        case .begin(let index):
            try partition(index, .restore, content.change.allRanges) { (partition) throws(PartitionError) in
                try partition.restore()
            }
            partitions[index].end()
        case .unmap(let index):
            try map(content.going.map(space.host.partitionMapping), in: index)
        case .host(let index):
            try takeBack(hostSteps[index])
        case .publish:
            try publish(
                maps.between ?? maps.before, withdrawing: content.granted, waitingUpTo: max(timeout, patience))
        case .turnLogs:
            space.shown.withLock { $0 = maps.before }
        case .map(let index):
            try unmap(content.coming.map(\.range), in: index)
        }
    }

    /// Publishes a memory map, and waits until nobody uses what is no longer in it.
    private func publish(
        _ map: RegionMap, withdrawing ranges: [MemoryRange], waitingUpTo patience: Duration
    ) throws(ChangeFailure) {
        space.publish(map)
        let deadline = MonotonicTime.now.advanced(by: patience)
        try space.waitUntilUnread(ranges, until: deadline, of: timeout)
        try space.waitUntilUnlocked(ranges, until: deadline, of: timeout)
    }

    private func perform(_ step: HostStep) throws(ChangeFailure) {
        do throws(HostStepFailure) {
            try space.host.perform(step, waitingUpTo: patience)
        } catch {
            throw ChangeFailure(step, error)
        }
    }

    private func takeBack(_ step: HostStep) throws(ChangeFailure) {
        do throws(HostMemoryError) {
            try space.host.takeBack(step, waitingUpTo: patience)
        } catch {
            throw ChangeFailure(step.inverse, HostStepFailure(error: error, isHalfDone: false))
        }
    }

    private func unmap(_ ranges: [MemoryRange], in index: Int) throws(ChangeFailure) {
        try partition(index, .unmap, ranges) { (partition) throws(PartitionError) in try partition.unmap(ranges) }
    }

    private func map(_ mappings: [PartitionMapping], in index: Int) throws(ChangeFailure) {
        try partition(index, .map, mappings.map(\.range)) { (partition) throws(PartitionError) in
            try partition.map(mappings)
        }
    }

    private func partition(
        _ index: Int, _ operation: ChangeFailure.Operation, _ ranges: @autoclosure () -> [MemoryRange],
        _ body: (any Partition) throws(PartitionError) -> Void
    ) throws(ChangeFailure) {
        do throws(PartitionError) {
            try body(partitions[index])
        } catch {
            throw ChangeFailure(
                operation: operation, ranges: ranges(), place: "partition \"\(partitions[index].name)\"", reason: error)
        }
    }
}

extension ChangeFailure {
    /// Whether it failed since somebody uses the memory at the moment.
    fileprivate var isOfUse: Bool {
        switch reason {
        case is PagesLocked, is MapInUse: true
        case let error as HostMemoryError: if case .locked = error.reason { true } else { false }
        default: false
        }
    }
}

extension PartitionChange {
    fileprivate var allRanges: [MemoryRange] { unmapped + mapped.map(\.range) }
}
