import KVM
import VMRegions

extension KVMPartition {
    /// The slots in force with their numbers, by ascending address.
    public var slots: [(id: MemorySlotID, slot: MemorySlot)] {
        state.withLock { $0.installed.slots }
    }

    /// What it has done so far.
    public var counters: SlotCounters {
        state.withLock { $0.installed.counters }
    }

    public var inspection: PartitionInspection {
        let counters = counters
        return PartitionInspection(
            name: name,
            slots: slots.map { id, slot in
                PartitionInspection.Slot(
                    number: id.rawValue, range: slot.range, writable: !slot.flags.contains(.readOnly))
            },
            counters: [
                "slotsAdded": counters.slotsAdded, "slotsRemoved": counters.slotsRemoved,
                "quiesces": counters.quiesces, "stepsUndone": counters.stepsUndone,
                "pagesHarvested": counters.pagesHarvested,
            ])
    }
}
