import KVM

extension KVMPartition {
    /// The slots in force with their numbers, by ascending address.
    public var slots: [(id: MemorySlotID, slot: MemorySlot)] {
        state.withLock { $0.installed.slots }
    }

    /// What it has done so far.
    public var counters: SlotCounters {
        state.withLock { $0.installed.counters }
    }
}
