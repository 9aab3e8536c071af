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
        /// How often it was emptied because it was full, and what time its vCPU spent on that.
        var fullCount: UInt64 = 0
        var fullTime: Duration = .zero
        /// How often it was found empty, the last times, when it was to be full.
        var vainDrains = 0

        init(_ ring: consuming DirtyRing) {
            self.ring = ring
        }

        /// Notes that it was found empty, when its vCPU could not go on for its being full. Once, somebody else may just have
        /// emptied it.
        /// - Returns: whether the kernel has lost count of it.
        /// - Throws: it stays stuck, whatever is tried.
        func isStuck(vcpu: Int) throws(KVMError) -> Bool {
            vainDrains += 1
            guard vainDrains < Self.drainLimit else {
                throw .call(.resetDirtyRings, .noBufferSpace, about: "vCPU \(vcpu), whose ring is full of nothing")
            }
            return vainDrains > 2
        }

        private static let drainLimit = 1000
    }

    private struct State {
        var rings: [Ring] = []
        /// Whether pages that were written are in no ring any more.
        var hasLostPages = false
        /// How many entries were taken out, and not reset yet.
        var pendingCount = 0
        /// Room for what is taken out.
        var ranges: [MemoryRange] = []

        /// Resets what was taken out. Pages that are not all protected then count as lost.
        mutating func reset(_ vm: borrowing VirtualMachine) throws(KVMError) {
            guard pendingCount > 0 else { return }
            do throws(KVMError) {
                let reset = try vm.resetDirtyRings(count: pendingCount)
                pendingCount -= reset.count
                if !reset.isComplete { hasLostPages = true }
            } catch {
                hasLostPages = true
                throw error
            }
        }
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

    /// How often each vCPU had to empty its ring because it was full, and how long it was kept from the guest by that; nil
    /// without rings.
    var fullRings: [(count: UInt64, time: Duration)]? {
        state.withLock { $0.rings.isEmpty ? nil : $0.rings.map { ($0.fullCount, $0.fullTime) } }
    }

    /// Whether a ring has run over since this was last set to false. All pages have to be protected anew then, or writes to
    /// some will not be logged; they were marked as written.
    var hasLostPages: Bool {
        get { state.withLock(\.hasLostPages) }
        set { state.withLock { $0.hasLostPages = newValue } }
    }

    /// Takes out of the rings what is in them, and has it logged anew.
    /// - Parameters:
    ///   - index: of the vCPU whose ring it is to be, because it is full, on its thread; nil for all, while no vCPU runs: what is
    ///     taken is told before the kernel protects its pages again.
    ///   - vm: of the vCPUs.
    ///   - body: marks pages as written, in the order in which each vCPU wrote them first. It is called before the rings can be
    ///     drained again, perhaps twice.
    /// - Throws: `body` was called then all the same. `ENOBUFS` where a ring stays full though nothing is in it.
    func drain(
        _ index: Int?, _ vm: borrowing VirtualMachine, _ body: ([MemoryRange]) -> Void
    ) throws(KVMError) {
        let began = MonotonicTime.now
        try state.withLock { (state) throws(KVMError) in
            defer {
                if let index, state.rings.indices.contains(index) {
                    state.rings[index].fullCount += 1
                    state.rings[index].fullTime += .now - began
                }
            }
            state.ranges.removeAll(keepingCapacity: true)
            for (number, ring) in state.rings.enumerated() where index == nil || index == number {
                let batch = vm.takeDirtyPages(from: &ring.ring, into: &state.ranges)
                ring.pageCount += UInt64(batch.pageCount)
                state.pendingCount += batch.entryCount
                if !batch.isComplete { state.hasLostPages = true }
                if batch.entryCount > 0 {
                    ring.vainDrains = 0
                } else if index != nil, try ring.isStuck(vcpu: number), state.pendingCount == 0 {
                    state.pendingCount += ring.ring.giveBackSome()
                    state.hasLostPages = true
                }
            }
            guard state.pendingCount > 0 || state.hasLostPages else { return }
            // Where vCPUs run, marked after the reset: what they write up to it is not logged again, and must not be copied
            // before it. Where none does, marked at once, while it all is in the cache.
            if index == nil { body(state.ranges) }
            defer {
                if state.hasLostPages {
                    body([.whole])
                } else if index != nil {
                    body(state.ranges)
                }
            }
            try state.reset(vm)
        }
    }
}
