import VMAddressSpace
import VMDirtyTracking
import VMHost
import VMRegions

/// A partition without memory that harvests in the midst of changes, and puts back what it gets: which makes no difference
/// to what there is to report.
final class HarvestingPartition: Partition {
    private struct State {
        /// Nil while it is to do nothing.
        var tracker: DirtyTracker?
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
    /// How many have failed so far.
    var failureCount: Int { state.withLock(\.failureCount) }

    /// - Parameter tracker: what to harvest from now on; nil for nothing.
    func harvest(_ tracker: DirtyTracker?) {
        state.withLock { $0.tracker = tracker }
    }

    private func harvest() {
        guard let tracker = state.withLock(\.tracker), tracker.method != nil else { return }
        var round = DirtyRound()
        let hasWorked = (try? tracker.harvest(into: &round)) != nil
        round.putBack()
        state.withLock { if hasWorked { $0.harvestCount += 1 } else { $0.failureCount += 1 } }
    }

    func begin(_ change: PartitionChange) throws(PartitionError) { harvest() }
    func unmap(_ ranges: [MemoryRange]) throws(PartitionError) { harvest() }
    func map(_ mappings: [PartitionMapping]) throws(PartitionError) { harvest() }
    func restore() throws(PartitionError) { harvest() }
    func end() { harvest() }
}
