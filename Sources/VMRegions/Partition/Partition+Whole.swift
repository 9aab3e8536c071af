import VMAddressSpace

/// Changes of all that a partition has.
extension Partition {
    /// Shows a partition that has no memory what there is.
    /// - Throws: it has none then.
    func mapAll(_ mappings: [PartitionMapping]) throws(PartitionError) {
        guard !mappings.isEmpty else { return }
        try begin(PartitionChange(unmapped: [], mapped: mappings))
        defer { end() }
        try step { () throws(PartitionError) in try map(mappings) }
    }

    /// Takes all of its memory away.
    /// - Throws: nothing has changed then, as far as it could be undone.
    func unmapAll(_ ranges: [MemoryRange]) throws(PartitionError) {
        guard !ranges.isEmpty else { return }
        try begin(PartitionChange(unmapped: ranges, mapped: []))
        defer { end() }
        try step { () throws(PartitionError) in try unmap(ranges) }
    }

    /// Makes the only step of a change.
    private func step(_ body: () throws(PartitionError) -> Void) throws(PartitionError) {
        do throws(PartitionError) {
            try body()
        } catch {
            // Where that fails too, the error that counts is the first; the partition says so, and keeps the processors out.
            try? restore()
            throw error
        }
    }
}
