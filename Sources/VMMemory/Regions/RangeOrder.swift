import VMAddressSpace

extension Sequence<MemoryRange> {
    /// - Throws: `unsorted` or `overlap` where they are not ascending and disjoint.
    func requireOrder() throws(RegionMapError) {
        var lower: MemoryRange?
        for range in self {
            if let lower {
                if lower.overlaps(range) { throw .overlap(lower, range) }
                if range.start < lower.start { throw .unsorted(range, after: lower) }
            }
            lower = range
        }
    }
}
