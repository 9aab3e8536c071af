import VMRegions

/// The kernel's log of the pages the guest writes. It outlasts changes: new memory is logged as well, and what the log of
/// a slot has is handed over before the slot goes.
extension KVMPartition {
    /// Whether the pages the guest writes are logged.
    public var isLoggingDirtyPages: Bool {
        state.withLock { $0.isLogging }
    }

    /// Switches the log, while the guest runs. Before it is switched off, which keeps the processors out for a moment, what
    /// it has is handed over.
    /// - Throws: all is as before then, unless the error says where not; pages may have been handed over.
    public func setLoggingDirtyPages(_ isOn: Bool) throws(PartitionError) {
        try perform { (state) throws(SlotStateError) in try state.setLogging(isOn) }
    }

    /// Hands over the pages that the guest has written since the last time.
    /// - Throws: of some memory they have been handed over then, and the rest are still in the log.
    public func harvestDirtyPages() throws(PartitionError) {
        try perform { (state) throws(SlotStateError) in try state.harvest() }
    }
}
