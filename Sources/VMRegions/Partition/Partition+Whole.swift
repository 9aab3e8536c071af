import VMAddressSpace

/// Changes of all that a partition has.
extension Partition {
    /// Shows a partition that has no memory what there is.
    /// - Throws: it has none then.
    func mapAll(_ mappings: [PartitionMapping]) throws(PartitionError) {
        guard !mappings.isEmpty else { return }
        try begin(PartitionChange(unmapped: [], mapped: mappings))
        defer { end() }
        try map(mappings)
    }

    /// Takes all of its memory away.
    /// - Throws: nothing has changed then.
    func unmapAll(_ ranges: [MemoryRange]) throws(PartitionError) {
        guard !ranges.isEmpty else { return }
        try begin(PartitionChange(unmapped: ranges, mapped: []))
        defer { end() }
        try unmap(ranges)
    }
}
