extension RAMBlock {
    /// Pages of the block, by numbers of anybody.
    /// - Parameter block: the block's place in the list of blocks.
    /// - Throws: `MemoryError.outsideBlock` where the block does not have them all.
    func run(block: Int, first: UInt64, count: UInt64) throws(MemoryError) -> PageRun {
        let (end, overflow) = first.addingReportingOverflow(count)
        guard !overflow, end <= pageCount else {
            throw .outsideBlock(name, first: first, count: count, pageCount: pageCount)
        }
        return PageRun(block: block, pages: first..<end)
    }
}
