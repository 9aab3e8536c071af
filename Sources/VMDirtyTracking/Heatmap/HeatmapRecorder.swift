import VMAddressSpace
import VMDirtyBitmap

/// Records which guest memory is written when: runs of written pages go in, interval by interval, and a `Heatmap` comes
/// out. Not for several threads at once.
///
/// Nothing is kept for each run. A recorder holds two bits for each page written, and no more rows than its limit: where
/// there would be more, each two neighbours become one, and later rows stand for as many intervals as those do.
public struct HeatmapRecorder: ~Copyable {
    /// All but the interval in progress.
    public private(set) var heatmap: Heatmap
    /// The last interval that ended, by itself: in the heat map it may be part of a row already.
    public private(set) var latest: HeatmapRow?

    private let axis: HeatmapAxis
    private let rowLimit: Int
    /// A row is complete with this many.
    private var intervalsPerRow = 1
    private var spanStart: Duration = .zero
    /// One bit for each position.
    private let written: AtomicBitmap
    private let writtenInSpan: AtomicBitmap

    /// Of the interval in progress.
    private var pages: [UInt64]
    private var pageCount: UInt64 = 0
    private var elsewhere: UInt64 = 0
    /// In which a run was last: the next is often there as well.
    private var column = 0

    /// - Parameters:
    ///   - rowLimit: the most rows to keep, two at least.
    ///   - span: how long pages count as written recently, for `HeatmapRow.recentWorkingSet`.
    /// - Throws: `.noMemory` where the host does not even have the address space for two bits for each page.
    public init(axis: HeatmapAxis, rowLimit: Int = 256, span: Duration = .seconds(1)) throws(BitmapError) {
        let written = try AtomicBitmap(byteCount: axis.pageCount, pageSize: 1)
        let writtenInSpan = try AtomicBitmap(byteCount: axis.pageCount, pageSize: 1)
        self.axis = axis
        self.rowLimit = max(rowLimit, 2)
        self.written = written
        self.writtenInSpan = writtenInSpan
        heatmap = Heatmap(axis: axis, span: span)
        pages = Array(repeating: 0, count: axis.columnCount)
    }

    /// Adds a run of pages that were written in the interval in progress. Quickest where runs ascend; one that was given
    /// in this interval before counts again.
    public mutating func add(_ run: MemoryRange) {
        var outside = run.pageCount
        var index = axis.extents.partitioningIndex { run.start <= $0.range.last }
        while index < axis.extents.count, let common = axis.extents[index].range.intersection(run) {
            let first = axis.extents[index].position(ofFrame: common.start.frame)
            add(first..<(first + common.pageCount))
            outside -= common.pageCount
            index += 1
        }
        elsewhere.addSaturating(outside)
    }

    private mutating func add(_ positions: Range<UInt64>) {
        written.markDirty(pages: positions)
        writtenInSpan.markDirty(pages: positions)
        pageCount += positions.upperBound - positions.lowerBound
        if !axis.positions(ofColumn: column).contains(positions.lowerBound) {
            column = axis.column(at: positions.lowerBound) ?? column
        }
        var next = positions.lowerBound
        while true {
            let end = min(positions.upperBound, axis.positions(ofColumn: column).upperBound)
            pages[column] += end - next
            guard end < positions.upperBound else { return }
            next = end
            column += 1
        }
    }

    /// Ends the interval in progress.
    /// - Parameters:
    ///   - end: since the recording began. A time before the interval's start counts as that.
    ///   - harvestTime: what it took to learn which pages were written.
    public mutating func endInterval(at end: Duration, harvestTime: Duration = .zero) {
        let start = heatmap.duration
        var row = HeatmapRow(
            start: start, end: max(start, end), intervalCount: 1, pages: pages, pageCount: pageCount,
            elsewhere: elsewhere, workingSet: written.dirtyPageCount(), recentWorkingSet: nil)
        if row.end - spanStart >= heatmap.span { endSpan(with: &row) }
        heatmap.totals.add(row, harvestTime)
        for column in pages.indices {
            heatmap.columnTotals[column] += pages[column]
            pages[column] = 0
        }
        pageCount = 0
        elsewhere = 0
        latest = row
        keep(row)
    }

    /// Adds an interval.
    /// - Parameters:
    ///   - runs: of pages that were written in it, none in two of them.
    ///   - end: since the recording began.
    ///   - harvestTime: what it took to learn of the runs.
    public mutating func addInterval(
        until end: Duration, runs: some Sequence<MemoryRange>, harvestTime: Duration = .zero
    ) {
        for run in runs { add(run) }
        endInterval(at: end, harvestTime: harvestTime)
    }

    /// Tells the rows of the span that ends with `row` how much was written in it.
    private mutating func endSpan(with row: inout HeatmapRow) {
        let count = writtenInSpan.dirtyPageCount()
        writtenInSpan.clear()
        row.recentWorkingSet = count
        for index in heatmap.rows.indices.reversed() {
            guard heatmap.rows[index].end > spanStart else { break }
            heatmap.rows[index].recentWorkingSet = max(heatmap.rows[index].recentWorkingSet ?? 0, count)
        }
        spanStart = row.end
    }

    /// Makes `row` the last one, or part of it.
    private mutating func keep(_ row: HeatmapRow) {
        if let last = heatmap.rows.indices.last, heatmap.rows[last].intervalCount < intervalsPerRow {
            heatmap.rows[last].merge(row)
            return
        }
        if heatmap.rows.count == rowLimit { halve() }
        // Of an odd number of rows, halving leaves the last one incomplete.
        if let last = heatmap.rows.indices.last, heatmap.rows[last].intervalCount < intervalsPerRow {
            heatmap.rows[last].merge(row)
        } else {
            heatmap.rows.append(row)
        }
    }

    /// Merges each two neighbouring rows.
    private mutating func halve() {
        var rows: [HeatmapRow] = []
        rows.reserveCapacity(rowLimit)
        for (index, row) in heatmap.rows.enumerated() {
            if index.isMultiple(of: 2) { rows.append(row) } else { rows[rows.count - 1].merge(row) }
        }
        heatmap.rows = rows
        intervalsPerRow *= 2
    }
}

extension HeatmapTotals {
    fileprivate mutating func add(_ row: HeatmapRow, _ harvestTime: Duration) {
        intervalCount += row.intervalCount
        pageCount += row.pageCount
        elsewhere.addSaturating(row.elsewhere)
        workingSet = row.workingSet
        peakBytesPerSecond = max(peakBytesPerSecond, row.bytesPerSecond)
        self.harvestTime += harvestTime
        longestHarvest = max(longestHarvest, harvestTime)
    }
}
