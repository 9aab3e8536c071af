import TestSupport
import Testing
import VMAddressSpace
import VMDirtyTracking

@Suite struct HeatmapRecorderTests {
    /// Frames with holes between: 64 MiB, 1 MiB, and 40 KiB at 1 TiB.
    static let memory: [Range<UInt64>] = [0..<16_384, 0x10_0000..<0x10_0100, (1 << 28)..<((1 << 28) + 10)]

    /// Ascending, disjoint frames, in memory, in holes, and across their borders.
    static func randomRuns(_ random: inout SeededGenerator) -> [Range<UInt64>] {
        var runs: [Range<UInt64>] = []
        for extent in memory {
            var next = extent.lowerBound > 20 ? extent.lowerBound - 20 : 0
            while next < extent.upperBound + 20 {
                let start = next + .random(in: 0..<3000, using: &random)
                let end = start + .random(in: 1..<(Bool.random(using: &random) ? 3 : 2000), using: &random)
                if start < extent.upperBound + 20 { runs.append(start..<end) }
                next = end + 1
            }
        }
        return runs
    }

    @Test(arguments: [1, 7, 100, 1024], [2, 5, 64])
    func `a recording agrees with sets of pages`(_ columns: Int, _ rowLimit: Int) throws {
        let axis = HeatmapAxis(Self.memory.map(pages), columnLimit: columns)
        var recorder = try HeatmapRecorder(axis: axis, rowLimit: rowLimit, span: .milliseconds(250))
        var random = SeededGenerator(seed: UInt64(columns * 1000 + rowLimit))
        var model = Model(axis)
        for interval in 1...20 {
            let runs = Self.randomRuns(&random)
            let expected = model.add(runs)
            recorder.addInterval(until: .milliseconds(100 * interval), runs: runs.map(pages))
            let row = recorder.latest
            let latest = try #require(row)
            #expect(latest.pages == expected.pages && latest.elsewhere == expected.elsewhere)
            #expect(latest.pageCount == latest.pages.reduce(0, +))
            #expect(latest.workingSet == UInt64(model.written.count))
            let heatmap = recorder.heatmap
            #expect(heatmap.columnTotals == model.columnTotals)
            #expect(heatmap.rows.count <= rowLimit)
            #expect(heatmap.totals.workingSet == UInt64(model.written.count))
        }
        let heatmap = recorder.heatmap
        #expect(heatmap.totals.elsewhere == model.elsewhere && model.elsewhere > 0)
        #expect(heatmap.totals.pageCount == model.columnTotals.reduce(0, +))
        #expect(heatmap.totals.intervalCount == 20)
    }

    @Test(arguments: [2, 3, 8, 9]) func `merging rows loses nothing`(_ rowLimit: Int) throws {
        let axis = HeatmapAxis(Self.memory.map(pages), columnLimit: 50)
        var recorder = try HeatmapRecorder(axis: axis, rowLimit: rowLimit)
        var whole = try HeatmapRecorder(axis: axis, rowLimit: 1000)
        var random = SeededGenerator(seed: 3)
        for interval in 1...101 {
            let runs = Self.randomRuns(&random).map(pages)
            recorder.addInterval(until: .milliseconds(30 * interval), runs: runs)
            whole.addInterval(until: .milliseconds(30 * interval), runs: runs)
            let merged = recorder.heatmap
            let rows = whole.heatmap.rows
            #expect(merged.rows.count <= rowLimit)
            #expect(merged.totals == whole.heatmap.totals && merged.columnTotals == whole.heatmap.columnTotals)
            var next = 0
            for row in merged.rows {
                let parts = rows[next..<(next + row.intervalCount)]
                next += row.intervalCount
                #expect(row.start == parts.first?.start && row.end == parts.last?.end)
                #expect(row.pageCount == parts.reduce(0) { $0 + $1.pageCount })
                #expect(row.elsewhere == parts.reduce(0) { $0 + $1.elsewhere })
                #expect(row.workingSet == parts.last?.workingSet)
                #expect(row.recentWorkingSet == parts.compactMap(\.recentWorkingSet).max())
                #expect(
                    axis.columns.allSatisfy { column in
                        row.pages[column] == parts.reduce(0) { $0 + $1.pages[column] }
                    })
            }
            #expect(next == interval)
        }
    }

    @Test func `all rows but the last stand for equally many intervals`() throws {
        var recorder = try HeatmapRecorder(axis: HeatmapAxis([pages(0..<9)], columnLimit: 9), rowLimit: 5)
        for interval in 1...200 {
            recorder.endInterval(at: .seconds(interval))
            let counts = recorder.heatmap.rows.map(\.intervalCount)
            #expect(Set(counts.dropLast()).count <= 1)
            #expect(counts.last ?? 0 <= counts.first ?? 0)
        }
    }

    @Test func `pages written again are no more of the working set, but of the span they were written in`() throws {
        let axis = HeatmapAxis([pages(0..<100)], columnLimit: 10)
        var recorder = try HeatmapRecorder(axis: axis, span: .seconds(1))
        for interval: UInt64 in 0..<10 {
            let frames = 4..<8 ~= interval ? (interval * 2)..<(interval * 2 + 10) : 0..<40
            recorder.addInterval(until: .milliseconds(500 * (interval + 1)), runs: [pages(frames)])
        }
        let rows = recorder.heatmap.rows
        #expect(rows.map(\.workingSet) == Array(repeating: 40, count: 10))
        #expect(rows.map(\.recentWorkingSet) == [40, 40, 40, 40, 12, 12, 12, 12, 40, 40])
    }

    @Test func `a span that is not over has no count yet`() throws {
        var recorder = try HeatmapRecorder(axis: HeatmapAxis([pages(0..<9)], columnLimit: 9), span: .seconds(1))
        for interval in 1...15 {
            recorder.addInterval(until: .milliseconds(100 * interval), runs: [pages(0..<3)])
        }
        #expect(recorder.heatmap.rows.map(\.recentWorkingSet).count { $0 == 3 } == 10)
        #expect(recorder.heatmap.rows.suffix(5).allSatisfy { $0.recentWorkingSet == nil })
    }

    @Test func `memory that the axis does not have is counted elsewhere, up to the last address`() throws {
        var recorder = try HeatmapRecorder(axis: HeatmapAxis([pages(10..<20)], columnLimit: 4))
        recorder.addInterval(
            until: .seconds(1), runs: [pages(0..<10), pages(20..<21), pages(((1 << 52) - 1)..<(1 << 52))])
        #expect(recorder.heatmap.totals.elsewhere == 12 && recorder.heatmap.totals.pageCount == 0)
        recorder.addInterval(until: .seconds(2), runs: [.whole])
        #expect(recorder.heatmap.totals.pageCount == 10)
        #expect(recorder.heatmap.totals.elsewhere == 12 + (1 << 52) - 10)
    }

    @Test func `more pages elsewhere than can be counted are the most that can`() throws {
        var recorder = try HeatmapRecorder(axis: HeatmapAxis([pages(0..<1)], columnLimit: 4), rowLimit: 2)
        for interval in 1...3 {
            recorder.addInterval(until: .seconds(interval), runs: repeatElement(MemoryRange.whole, count: 4097))
        }
        #expect(recorder.heatmap.totals.elsewhere == .max && recorder.heatmap.totals.pageCount == 3 * 4097)
        #expect(recorder.heatmap.rows.map(\.elsewhere) == [.max, .max])
    }

    @Test func `without memory all is elsewhere`() throws {
        var recorder = try HeatmapRecorder(axis: HeatmapAxis([MemoryRange](), columnLimit: 4))
        recorder.addInterval(until: .seconds(1), runs: [pages(0..<10)])
        #expect(recorder.heatmap.totals.elsewhere == 10 && recorder.heatmap.rows.map(\.pages) == [[]])
    }

    @Test func `time that goes back stands still, and a row without time has no rate`() throws {
        var recorder = try HeatmapRecorder(axis: HeatmapAxis([pages(0..<9)], columnLimit: 4))
        recorder.addInterval(until: .seconds(2), runs: [pages(0..<8)])
        recorder.addInterval(until: .seconds(1), runs: [pages(0..<8)])
        let rows = recorder.heatmap.rows
        #expect(rows.map(\.start) == [.zero, .seconds(2)] && rows.map(\.end) == [.seconds(2), .seconds(2)])
        #expect(rows.map(\.bytesPerSecond) == [16384, 0])
        #expect(recorder.heatmap.meanBytesPerSecond == 32768 && recorder.heatmap.totals.peakBytesPerSecond == 16384)
    }

    @Test func `the time of harvests adds up, and the longest is kept`() throws {
        var recorder = try HeatmapRecorder(axis: HeatmapAxis([pages(0..<9)], columnLimit: 4), rowLimit: 2)
        for milliseconds in [1, 5, 2, 3] {
            recorder.endInterval(at: .seconds(milliseconds), harvestTime: .milliseconds(milliseconds))
        }
        #expect(recorder.heatmap.totals.harvestTime == .milliseconds(11))
        #expect(recorder.heatmap.totals.longestHarvest == .milliseconds(5))
    }

    @Test func `memory too large to keep a bit for each page is refused`() {
        let axis = HeatmapAxis([.whole], columnLimit: 1024)
        #expect(throws: (any Error).self) {
            _ = try HeatmapRecorder(axis: axis)
        }
    }
}

/// What a recorder should say, page by page.
private struct Model {
    private let axis: HeatmapAxis
    private(set) var written: Set<UInt64> = []
    private(set) var columnTotals: [UInt64]
    private(set) var elsewhere: UInt64 = 0

    init(_ axis: HeatmapAxis) {
        self.axis = axis
        columnTotals = Array(repeating: 0, count: axis.columnCount)
    }

    mutating func add(_ runs: [Range<UInt64>]) -> (pages: [UInt64], elsewhere: UInt64) {
        var pages = columnTotals.map { _ in UInt64(0) }
        var missing: UInt64 = 0
        for frame in runs.joined() {
            if let column = GuestAddress(frame: frame).flatMap(axis.column(of:)) {
                pages[column] += 1
                columnTotals[column] += 1
                written.insert(frame)
            } else {
                missing += 1
            }
        }
        elsewhere += missing
        return (pages, missing)
    }
}
