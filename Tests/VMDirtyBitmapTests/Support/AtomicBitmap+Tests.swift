import VMDirtyBitmap

extension AtomicBitmap {
    /// The runs of dirty pages, left as they are.
    var runs: [Range<UInt64>] { Array(dirtyRuns()) }

    /// All clean, with a length in pages.
    convenience init(pages: UInt64, pageSize: UInt64 = 4096, growableTo limit: UInt64? = nil) throws(BitmapError) {
        try self.init(
            byteCount: pages * pageSize, pageSize: pageSize, growableTo: limit.map { $0 * pageSize })
    }

    func harvestedRuns(_ pages: Range<UInt64> = allPages) -> [Range<UInt64>] {
        var runs: [Range<UInt64>] = []
        harvest(pages) { runs.append($0) }
        return runs
    }

    func harvestedWords(_ pages: Range<UInt64> = allPages, count: Int) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: count)
        var span = words.mutableSpan
        harvest(pages, into: &span)
        return words
    }
}
