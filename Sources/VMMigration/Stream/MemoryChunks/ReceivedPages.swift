import VMDirtyBitmap

/// Which pages of a migration have come: a bit for each.
///
/// A zero page that comes first need not be touched in memory that is fresh; one that comes later has to be cleared.
///
/// Threads: any, several at once.
public final class ReceivedPages: Sendable {
    private let blocks: [RAMBlock]
    private let bitmaps: [AtomicBitmap]

    /// - Throws: `BitmapError` for blocks that are too large, or where the host has no memory for their bits.
    public init(_ blocks: [RAMBlock]) throws(BitmapError) {
        var bitmaps: [AtomicBitmap] = []
        for block in blocks {
            // A bit for each page, whose number is all that matters here.
            bitmaps.append(try AtomicBitmap(byteCount: block.pageCount, pageSize: 1))
        }
        self.blocks = blocks
        self.bitmaps = bitmaps
    }

    /// Notes that pages have come. Those that there are not are ignored.
    public func mark(_ run: PageRun) {
        guard bitmaps.indices.contains(run.block) else { return }
        bitmaps[run.block].markDirty(pages: run.pages)
    }

    /// Notes that pages are to come again.
    func remove(_ run: PageRun) {
        guard bitmaps.indices.contains(run.block) else { return }
        bitmaps[run.block].clear(run.pages)
    }

    /// Whether a page has come.
    func contains(block: Int, page: UInt64) -> Bool {
        bitmaps.indices.contains(block) && bitmaps[block].isDirty(page: page)
    }

    /// Calls `body` with each run of pages that have not come, of block after block.
    func forEachMissing<Failure: Error>(_ body: (PageRun) throws(Failure) -> Void) throws(Failure) {
        for (index, block) in blocks.enumerated() {
            var next: UInt64 = 0
            for run in bitmaps[index].dirtyRuns() {
                if next < run.lowerBound { try body(PageRun(block: index, pages: next..<run.lowerBound)) }
                next = run.upperBound
            }
            if next < block.pageCount { try body(PageRun(block: index, pages: next..<block.pageCount)) }
        }
    }

    /// How many have not.
    var missingCount: UInt64 { blocks.reduce(0) { $0 + $1.pageCount } - count }

    /// Whether any of them has come.
    public func containsAny(of run: PageRun) -> Bool {
        bitmaps.indices.contains(run.block) && bitmaps[run.block].isAnyDirty(run.pages)
    }

    /// How many have come.
    public var count: UInt64 {
        bitmaps.reduce(0) { $0 + $1.dirtyPageCount() }
    }

    /// - Throws: `MemoryError.missing` for the first page that has not come.
    public func checkComplete() throws(MemoryError) {
        for (block, bitmap) in zip(blocks, bitmaps) {
            var runs = bitmap.dirtyRuns()
            let first = runs.next() ?? 0..<0
            let end = first.lowerBound == 0 ? first.upperBound : 0
            guard end >= block.pageCount else { throw .missing(block: block.name, page: end) }
        }
    }
}
