import Testing
import VMDirtyTracking

@testable import VMM

@Suite struct HeatmapColumnsTests {
    private func columns(_ memory: [Range<UInt64>]) -> HeatmapColumns {
        let axis = HeatmapAxis(memory.map(pages), columnLimit: 1024)
        return HeatmapColumns(axis, from: 10, width: 1024, gapWidth: 9)
    }

    @Test(arguments: Memories.all) func `segments and gaps fill the line`(_ memory: [Range<UInt64>]) {
        let columns = columns(memory)
        #expect(columns.segments.map(\.columns).reduce(into: []) { $0 += $1 } == Array(columns.axis.columns))
        #expect(columns.segments.first?.x == 10 && columns.unit >= 1)
        for (gap, (segment, next)) in zip(columns.gaps, zip(columns.segments, columns.segments.dropFirst())) {
            #expect(abs(segment.end - gap.x) < 0.01 && abs(gap.x + gap.width - next.x) < 0.01)
        }
        #expect(abs((columns.segments.last?.end ?? 0) - columns.line.upperBound) < 0.01)
        #expect(columns.line.upperBound <= 10 + 1024 * 1.2 + 0.01)
    }

    @Test(arguments: Memories.all) func `positions go from left to right`(_ memory: [Range<UInt64>]) {
        let columns = columns(memory)
        let samples = (0..<997).map { columns.axis.pageCount * $0 / 997 }
        #expect(zip(samples, samples.dropFirst()).allSatisfy { columns.x(at: $0) <= columns.x(at: $1) })
        #expect(samples.allSatisfy { columns.x(at: $0) <= columns.end(at: $0 + 1) })
        #expect(abs(columns.end(at: columns.axis.pageCount) - columns.line.upperBound) < 0.01)
    }

    @Test func `memory ends before the gap and goes on after it`() throws {
        let columns = columns(Memories.sparse)
        let gap = try #require(columns.gaps.first)
        let hole = try #require(gap.holes.first)
        #expect(columns.gaps.count == 1 && gap.width == 9)
        #expect(abs(columns.end(at: hole.position) - gap.x) < 0.01)
        #expect(abs(columns.x(at: hole.position) - gap.x - gap.width) < 0.01)
    }

    @Test func `holes too near to each other share a gap`() {
        let gaps = columns((0..<5000).map { ($0 * 3)..<($0 * 3 + 2) } as [Range<UInt64>]).gaps
        #expect(gaps.count == 1023 && gaps.contains { $0.holes.count > 1 })
    }
}
