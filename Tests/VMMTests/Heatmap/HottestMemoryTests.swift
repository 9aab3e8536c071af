import Testing
import VMDirtyTracking

@testable import VMM

@Suite struct HottestMemoryTests {
    private func hottest(_ runs: [Range<UInt64>], limit: Int = 8) throws -> [HottestMemory.Columns] {
        let axis = HeatmapAxis([pages(0..<100), pages(200..<300)], columnLimit: 20)
        var recorder = try HeatmapRecorder(axis: axis)
        for run in runs { recorder.add(pages(run)) }
        recorder.endInterval(at: .seconds(1))
        return HottestMemory(recorder.heatmap, limit: limit).ranges
    }

    @Test func `neighbours are one range, and what is hotter comes first`() throws {
        let ranges = try hottest([0..<10, 40..<41, 70..<100, 200..<210])
        #expect(ranges.map(\.written) == [40, 10])
        #expect(ranges.map(\.memory) == [[pages(70..<100), pages(200..<210)], [pages(0..<10)]])
        #expect(ranges.map(\.pageCount) == [40, 10])
        #expect(abs((ranges.first?.share ?? 0) - 40 / 51 * 100) < 0.001)
    }

    @Test func `the list has a limit, and is empty where nothing was written`() throws {
        let apart: [Range<UInt64>] = [0..<10, 20..<30, 40..<50, 60..<70]
        #expect(try hottest(apart, limit: 3).map(\.memory) == [[pages(0..<10)], [pages(20..<30)], [pages(40..<50)]])
        #expect(try hottest([]).isEmpty)
    }
}
