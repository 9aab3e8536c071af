import KVM
import VMAddressSpace

extension MemorySlot {
    /// The part of it in `other`, which it covers.
    func part(in other: MemoryRange) -> MemorySlot {
        MemorySlot(
            range: other, hostAddress: hostAddress + UInt(other.start.rawValue - range.start.rawValue), flags: flags)
    }

    /// It with a dirty log or without. What the guest cannot write has none.
    func loggingDirtyPages(_ isOn: Bool) -> MemorySlot {
        var slot = self
        if isOn, !flags.contains(.readOnly) {
            slot.flags.insert(.logDirtyPages)
        } else {
            slot.flags.remove(.logDirtyPages)
        }
        return slot
    }

    /// Whether `next`, which is above it, goes on where it ends, with the same flags, and one slot can have so many pages.
    func continues(in next: MemorySlot) -> Bool {
        // Most often they are apart.
        range.last.rawValue &+ 1 == next.range.start.rawValue && flags == next.flags
            && next.hostAddress > hostAddress && next.hostAddress - hostAddress == range.count
            && range.pageCount + next.range.pageCount <= Self.maximumPageCount
    }

    /// It and `next` as one slot; nil where it does not continue in that.
    func merged(with next: MemorySlot) -> MemorySlot? {
        guard continues(in: next) else { return nil }
        let both = MemoryRange(uncheckedFrom: range.start, through: next.range.last)
        return MemorySlot(range: both, hostAddress: hostAddress, flags: flags)
    }
}

extension [MemorySlot] {
    /// Adds a slot above all others: to the last one, where the two can be one.
    mutating func appendMerging(_ slot: MemorySlot) {
        if let merged = last?.merged(with: slot) {
            self[count - 1] = merged
        } else {
            append(slot)
        }
    }
}
