import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("Disjoint ranges")
struct DisjointRangesTests {
    private let pageCount = 40

    private func range(_ pages: ClosedRange<Int>) -> MemoryRange {
        ramRange(UInt64(pages.lowerBound) << 12, UInt64(pages.count) << 12)
    }

    private func pages(_ range: MemoryRange) -> [Int] {
        (range.start.rawValue >> 12...range.last.rawValue >> 12).map { Int($0) }
    }

    @Test("They hold what was put in and not taken out, page for page", arguments: 0..<20)
    func model(_ seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        var ranges = DisjointRanges()
        // Which insertion a page came with.
        var owners = [Int?](repeating: nil, count: pageCount)
        for step in 0..<300 {
            let first = Int.random(in: 0..<pageCount, using: &numbers)
            let last = min(first + Int.random(in: 0..<6, using: &numbers), pageCount - 1)
            let chosen = range(first...last)
            if ranges.overlapping(chosen).isEmpty, step % 3 > 0 {
                ranges.insert(chosen)
                for page in first...last { owners[page] = step }
            } else {
                ranges.remove(chosen)
                for page in first...last { owners[page] = nil }
            }
            check(ranges, owners, searched: first...last)
        }
    }

    private func check(_ ranges: DisjointRanges, _ owners: [Int?], searched: ClosedRange<Int>) {
        let held = owners.indices.filter { owners[$0] != nil }
        #expect(ranges.ranges.flatMap(pages) == held)
        #expect(ranges.byteCount == UInt64(held.count) << 12)
        // No two insertions in one range.
        #expect(ranges.ranges.allSatisfy { range in Set(pages(range).map { owners[$0] }).count == 1 })
        #expect(ranges.overlapping(range(searched)).elementsEqual(ranges.ranges.filter(range(searched).overlaps)))
        #expect(ranges.clipped(to: range(searched)).flatMap(pages) == searched.filter { owners[$0] != nil })
        #expect(ranges.gaps(in: range(searched)).flatMap(pages) == searched.filter { owners[$0] == nil })
    }

    @Test("Ranges that adjoin stay two, and one that is cut within becomes two")
    func neighbours() {
        var ranges = DisjointRanges()
        ranges.insert(range(4...7))
        ranges.insert(range(0...3))
        #expect(ranges.ranges == [range(0...3), range(4...7)])
        ranges.remove(range(5...5))
        #expect(ranges.ranges == [range(0...3), range(4...4), range(6...7)])
    }

    @Test("They reach the last address")
    func lastAddress() {
        var ranges = DisjointRanges()
        let top = ramRange(0 &- 0x1000, 0x1000)
        ranges.insert(top)
        #expect(ranges.gaps(in: .whole) == [ramRange(0, 0 &- 0x1000)])
        #expect(ranges.clipped(to: .whole) == [top])
        ranges.remove(.whole)
        #expect(ranges.ranges.isEmpty)
    }
}
