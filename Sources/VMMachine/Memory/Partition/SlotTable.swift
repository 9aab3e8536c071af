import KVM
import VMHost

/// Which slots are in the kernel, under which numbers, and what has been done. It has a lock of its own, so that anybody
/// can look at it while a change waits for processors.
final class SlotTable: Sendable {
    struct Contents: Sendable {
        private(set) var layout = SlotLayout()
        /// Of each slot of the layout.
        private(set) var ids: [MemorySlotID] = []
        var counters = SlotCounters()

        /// The slots with their numbers, by ascending address.
        var slots: [(id: MemorySlotID, slot: MemorySlot)] {
            zip(ids, layout.slots).map { ($0, $1) }
        }

        /// The number of a slot; nil where it is not there.
        func id(of slot: MemorySlot) -> MemorySlotID? {
            layout.index(of: slot).map { ids[$0] }
        }

        mutating func insert(_ slot: MemorySlot, _ id: MemorySlotID) {
            let index = layout.insert(slot)
            if index == ids.count { ids.append(id) } else { ids.insert(id, at: index) }
            counters.slotsAdded += 1
        }

        mutating func remove(_ slot: MemorySlot) {
            guard let index = layout.index(of: slot) else { return }
            ids.remove(at: index)
            layout.remove(slot)
            counters.slotsRemoved += 1
        }

        mutating func setFlags(_ flags: MemorySlot.Flags, of slot: MemorySlot) {
            if let index = layout.index(of: slot) { layout.setFlags(flags, at: index) }
        }

        mutating func forget() {
            layout = SlotLayout()
            ids = []
        }
    }

    private let contents = Monitor(Contents())

    func withLock<Result>(_ body: (inout Contents) -> Result) -> Result {
        contents.withLock(body)
    }
}
