import VMAddressSpace

extension GuestMemory {
    /// Has the host provide the pages of a range now, by one call for each region where accesses would fault on each page
    /// (`MADV_POPULATE_WRITE`, Linux 5.14). For who is about to fill the range: it takes the memory, changes no contents and
    /// marks nothing.
    ///
    /// Where the host cannot, or what lies behind a region does not, pages come with their first access, as ever.
    /// - Returns: whether all of the pages were provided.
    /// - Throws: `GuestMemoryError` where not all of the range is memory.
    @discardableResult
    public func populate(_ address: GuestAddress, count: UInt64) throws(GuestMemoryError) -> Bool {
        guard count > 0 else { return true }
        let first = try requireMemory(.populate, address, count)
        let last = first + (count - 1)
        var next = first
        var isDone = true
        while true {
            // Of the map only a region is kept while the host is at work, which may take long.
            guard let region = map.memory().withMap({ $0.region(containing: GuestAddress(next)) }) else {
                throw error(.populate, first, count, .notMapped, at: next, completed: next - first)
            }
            let lastInRegion = min(last, region.range.last.rawValue)
            isDone = region.providePages(from: next, through: lastInRegion) && isDone
            guard lastInRegion < last else { return isDone }
            next = lastInRegion + 1
        }
    }
}

extension GuestMemoryRegion {
    /// Provides the pages that have a byte from `first` through `last`, guest-physical addresses in the region.
    fileprivate func providePages(from first: UInt64, through last: UInt64) -> Bool {
        let start = first & ~PageSize.size4K.mask
        let count = (last | PageSize.size4K.mask) - start + 1
        return access.providePages(offset: accessOffset + (start - range.start.rawValue), count: count)
    }
}
