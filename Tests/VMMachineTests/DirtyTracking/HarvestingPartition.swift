import VMAddressSpace
import VMDirtyTracking
import VMHost
import VMRegions

/// A partition without memory that harvests in the midst of changes, and puts back what it gets, which makes no difference
/// to what there is to report; or starts and stops the tracking.
final class HarvestingPartition: Partition {
    private struct State {
        /// Nil while it is to do nothing.
        var tracker: DirtyTracker?
        /// Which of the steps to come starts or stops instead, and how.
        var switching: (step: Int, method: DirtyTrackingMethod)?
        var startCount = 0
        var failureCount = 0
        var harvestCount = 0
    }

    let name = "harvesting"
    private let state = Monitor(State())

    var inspection: PartitionInspection {
        PartitionInspection(name: name, slots: [], counters: ["harvests": UInt64(harvestCount)])
    }

    /// How many harvests worked so far.
    var harvestCount: Int { state.withLock(\.harvestCount) }
    /// How often it has started the tracking so far.
    var startCount: Int { state.withLock(\.startCount) }
    /// How many calls have failed so far.
    var failureCount: Int { state.withLock(\.failureCount) }

    /// - Parameters:
    ///   - tracker: what to harvest from now on; nil for nothing.
    ///   - switching: at which step from now on to start or stop it instead, and by what to start it.
    func harvest(_ tracker: DirtyTracker?, switching: (step: Int, method: DirtyTrackingMethod)? = nil) {
        state.withLock {
            $0.tracker = tracker
            $0.switching = switching
        }
    }

    private func act() {
        let method: DirtyTrackingMethod? = state.withLock { state in
            guard let (step, method) = state.switching else { return nil }
            state.switching = step == 0 ? nil : (step - 1, method)
            return step == 0 ? method : nil
        }
        if let method { switchTracking(method) } else { harvest() }
    }

    private func switchTracking(_ method: DirtyTrackingMethod) {
        guard let tracker = state.withLock(\.tracker) else { return }
        do throws(DirtyTrackingError) {
            if tracker.method == nil {
                try tracker.start(method)
                state.withLock { $0.startCount += 1 }
            } else {
                try tracker.stop()
            }
        } catch {
            state.withLock { $0.failureCount += 1 }
        }
    }

    private func harvest() {
        guard let tracker = state.withLock(\.tracker), tracker.method != nil else { return }
        var round = DirtyRound()
        let hasWorked = (try? tracker.harvest(into: &round)) != nil
        round.putBack()
        state.withLock { if hasWorked { $0.harvestCount += 1 } else { $0.failureCount += 1 } }
    }

    func begin(_ change: PartitionChange) throws(PartitionError) { act() }
    func unmap(_ ranges: [MemoryRange]) throws(PartitionError) { act() }
    func map(_ mappings: [PartitionMapping]) throws(PartitionError) { act() }
    func restore() throws(PartitionError) { act() }
    func end() { act() }
}
