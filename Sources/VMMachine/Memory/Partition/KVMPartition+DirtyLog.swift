import KVM
import VMAddressSpace
import VMDirtyTracking
import VMRegions

/// The kernel's log of the pages the guest writes. It outlasts changes: new memory is logged as well, and what the log of
/// a slot has is handed over before the slot goes.
extension KVMPartition: DirtyLogSource {
    /// How the pages the guest writes are logged; nil where they are not.
    public var loggingMethod: DirtyTrackingMethod? {
        state.withLock { $0.isLogging ? $0.installed.method : nil }
    }

    package var support: DirtyTrackingSupport { calls.dirtyTrackingSupport }

    package var isGone: Bool { state.withLock(\.isAbandoned) }

    package var dirtyPageCounts: [UInt64]? { calls.dirtyPageCounts }

    package func startLogging(_ method: DirtyTrackingMethod, isInitiallySet: Bool) throws(PartitionError) {
        try perform { (state) throws(SlotStateError) in
            try state.startLogging(method, isInitiallySet: isInitiallySet)
        }
    }

    /// Ends the log, which keeps the processors out for a moment.
    package func stopLogging() throws(PartitionError) {
        try perform { (state) throws(SlotStateError) in try state.stopLogging() }
    }

    package func readDirtyLog(_ range: MemoryRange?, into round: inout DirtyRound) throws(PartitionError) -> Bool {
        try perform { (state) throws(SlotStateError) in try state.read(range, into: &round) }
    }

    /// Makes room in the ring of a vCPU, on its thread. Does not wait for a change of memory, which waits for the vCPU.
    func drainDirtyRing(of vcpu: Int) throws(KVMError) {
        try calls.drainDirtyRings(of: vcpu) { ranges in dirtyPages.markDirty(ranges) }
    }
}
