import KVM
import VMAddressSpace
import VMRegions

/// Memory by page numbers, for tests. Host page 0 is at this address.
let hostBase: UInt = 0x7f00_0000_0000

func pages(_ range: Range<UInt64>) -> MemoryRange {
    try! MemoryRange(frames: range)
}

/// - Parameter host: the number of its first page on the host; nil for the same as in the guest.
func slot(_ range: Range<UInt64>, host: UInt64? = nil, _ flags: MemorySlot.Flags = []) -> MemorySlot {
    MemorySlot(
        range: pages(range), hostAddress: hostBase + UInt(host ?? range.lowerBound) << 12, flags: flags)
}

func mapping(_ range: Range<UInt64>, host: UInt64? = nil, isWritable: Bool = true) -> PartitionMapping {
    PartitionMapping(
        range: pages(range), hostAddress: hostBase + UInt(host ?? range.lowerBound) << 12, isWritable: isWritable)
}

func change(unmap: [Range<UInt64>] = [], map: [PartitionMapping] = []) -> PartitionChange {
    PartitionChange(unmapped: unmap.map(pages), mapped: map)
}

extension Partition {
    /// A change as a manager makes it, undone where a step fails.
    func carryOut(_ change: PartitionChange) throws(PartitionError) {
        try begin(change)
        defer { end() }
        if !change.unmapped.isEmpty { try unmap(change.unmapped) }
        guard !change.mapped.isEmpty else { return }
        try map(change.mapped)
    }
}
