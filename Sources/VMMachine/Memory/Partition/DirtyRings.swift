import KVM
import VMAddressSpace
import VMHost

/// The dirty rings of a machine's vCPUs: none, unless it was made with them.
///
/// Threads: any, those of vCPUs too.
final class DirtyRings: Sendable {
    /// Of a vCPU.
    private final class Ring {
        var ring: DirtyRing
        /// How many pages were taken out of it so far.
        var pageCount: UInt64 = 0
        /// How often it was found empty, the last times, when it was to be full.
        var vainDrains = 0

        init(_ ring: consuming DirtyRing) {
            self.ring = ring
        }
    }

    private struct State {
        var rings: [Ring] = []
        /// Whether pages that were written are in no ring any more.
        var hasLostPages = false
        /// Room for what is taken out.
        var ranges: [MemoryRange] = []
    }

    /// Held while pages are taken out, the rings are reset and the pages are marked. So whoever holds it, and then harvests the
    /// marks, copies pages that are protected again.
    private let state = Monitor(State())

    /// To be called once, before the vCPUs run.
    /// - Parameter entryCount: what the VM's rings were made with.
    func attach(_ processors: [Processor], entryCount: Int) throws(KVMError) {
        var rings: [Ring] = []
        for processor in processors {
            rings.append(Ring(try processor.vcpu.mapDirtyRing(entryCount: entryCount)))
        }
        state.withLock { [rings = rings] in $0.rings = rings }
    }

    /// Lets go of the rings of vCPUs that will not run any more.
    func detach() {
        state.withLock { $0.rings = [] }
    }

    /// How many pages each vCPU's ring had so far; nil without rings.
    var pageCounts: [UInt64]? {
        state.withLock { $0.rings.isEmpty ? nil : $0.rings.map(\.pageCount) }
    }

    /// Whether a ring has run over since this was last set to false. All pages have to be protected anew then, or writes to
    /// some will not be logged; they were marked as written.
    var hasLostPages: Bool {
        get { state.withLock(\.hasLostPages) }
        set { state.withLock { $0.hasLostPages = newValue } }
    }

    /// Takes out of the rings what is in them, and has it logged anew.
    /// - Parameters:
    ///   - index: of the vCPU whose ring it is to be, because it is full; nil for all.
    ///   - vm: of the vCPUs.
    ///   - body: marks pages as written, in the order in which each vCPU wrote them first. It is called before the rings can be
    ///     drained again.
    /// - Throws: `body` was called then all the same. `ENOBUFS` where a ring stays full though nothing is in it.
    func drain(
        _ index: Int?, _ vm: borrowing VirtualMachine, _ body: ([MemoryRange]) -> Void
    ) throws(KVMError) {
        try state.withLock { (state) throws(KVMError) in
            state.ranges.removeAll(keepingCapacity: true)
            var entryCount = 0
            for (number, ring) in state.rings.enumerated() where index == nil || index == number {
                let batch = vm.takeDirtyPages(from: &ring.ring, into: &state.ranges)
                ring.pageCount += UInt64(batch.pageCount)
                entryCount += batch.entryCount
                if !batch.isComplete { state.hasLostPages = true }
                ring.vainDrains = batch.entryCount > 0 || index == nil ? 0 : ring.vainDrains + 1
                guard ring.vainDrains < Self.vainDrainLimit else {
                    throw .call(
                        .resetDirtyRings, .noBufferSpace, about: "vCPU \(number), whose ring is full of nothing")
                }
            }
            guard entryCount > 0 else { return }
            // Marked after the reset: what is written up to it is not logged again, and must not be copied before it.
            defer { body(state.hasLostPages ? [.whole] : state.ranges) }
            do throws(KVMError) {
                if try !vm.resetDirtyRings(count: entryCount) { state.hasLostPages = true }
            } catch {
                // What was not reset is not logged again.
                state.hasLostPages = true
                throw error
            }
        }
    }

    private static let vainDrainLimit = 1000
}
