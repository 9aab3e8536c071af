import KVM
import VMAddressSpace
import VMRegions

/// A change that keeps the processors out.
struct QuiescedChange: Sendable {
    let announced: PartitionChange
    /// What the guest saw before it.
    let before: SlotLayout
    /// What it is to see after it, as announced.
    let after: SlotLayout
    /// Whether it still is.
    var leadsToAfter = true
    /// Whether what it announced to unmap has been unmapped.
    var hasUnmapped = false

    /// Whether a slot is the same before it and after.
    func keeps(_ slot: MemorySlot) -> Bool {
        before.slot(of: slot.range).map { after.index(of: $0) != nil } ?? false
    }

    /// Whether memory is going to be mapped after `ranges` were unmapped, which are those announced or, to undo that, those
    /// that were mapped.
    func isFollowedByMap(after ranges: [MemoryRange]) -> Bool {
        ranges == announced.unmapped ? !announced.mapped.isEmpty : !announced.unmapped.isEmpty
    }
}
