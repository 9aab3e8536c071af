import KVM
import VMRegions

/// What is known of a partition, also while a change waits for a processor that is slow to leave the guest.
extension KVMPartition {
    /// The slots in force with their numbers, by ascending address.
    public var slots: [(id: MemorySlotID, slot: MemorySlot)] {
        table.withLock(\.slots)
    }

    /// What it has done so far.
    public var counters: SlotCounters {
        table.withLock(\.counters)
    }

    public var inspection: PartitionInspection {
        let (slots, counters) = table.withLock { ($0.slots, $0.counters) }
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
