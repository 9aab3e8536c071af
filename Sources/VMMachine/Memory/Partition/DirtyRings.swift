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

        init(_ ring: consuming DirtyRing) {
            self.ring = ring
        }
    }

    private struct State {
        var rings: [Ring] = []
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

    /// Takes out of the rings what is in them, and has it logged anew.
    /// - Parameters:
    ///   - index: of the vCPU whose ring it is to be; nil for all.
    ///   - vm: of the vCPUs.
    ///   - body: marks pages as written, in the order in which each vCPU wrote them first. It is called before the rings can be
    ///     drained again.
    /// - Throws: `body` was called then all the same.
    func drain(
        _ index: Int?, _ vm: borrowing VirtualMachine, _ body: ([MemoryRange]) -> Void
    ) throws(KVMError) {
        try state.withLock { (state) throws(KVMError) in
            state.ranges.removeAll(keepingCapacity: true)
            for (number, ring) in state.rings.enumerated() where index == nil || index == number {
                // No more than there is room for: a guest that goes on writing must not keep anybody here.
                let count = vm.takeDirtyPages(from: &ring.ring, upTo: ring.ring.entryCount, into: &state.ranges)
                ring.pageCount += UInt64(count)
            }
            guard !state.ranges.isEmpty else { return }
            // Marked after the reset: what is written up to it is not logged again, and must not be copied before it.
            defer { body(state.ranges) }
            try vm.resetDirtyRings()
        }
    }
}
