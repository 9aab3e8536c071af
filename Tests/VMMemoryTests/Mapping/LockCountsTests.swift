import TestSupport
import Testing

@testable import VMMemory

@Suite("Counts of locks")
struct LockCountsTests {
    @Test("Counts and runs agree with an array of counters", arguments: 0..<8)
    func model(seed: UInt64) {
        let size = 96
        var random = SeededGenerator(seed: seed)
        var counts = LockCounts()
        var model = [Int](repeating: 0, count: size)
        var held: [Range<Int>] = []
        func range() -> Range<Int> {
            let start = Int.random(in: 0..<size, using: &random)
            return start..<Int.random(in: start + 1...size, using: &random)
        }
        for step in 0..<1500 {
            // At first mostly locks, in the end mostly unlocks.
            if held.isEmpty || Int.random(in: 0..<1500, using: &random) > step {
                let added = range()
                counts.add(1, to: UInt64(added.lowerBound)..<UInt64(added.upperBound))
                for page in added { model[page] += 1 }
                held.append(added)
            } else {
                let removed = held.remove(at: Int.random(in: 0..<held.count, using: &random))
                counts.add(-1, to: UInt64(removed.lowerBound)..<UInt64(removed.upperBound))
                for page in removed { model[page] -= 1 }
            }
            let asked = range()
            let pages = UInt64(asked.lowerBound)..<UInt64(asked.upperBound)
            let lowest = counts.lowest(in: pages)
            #expect(lowest == model[asked].min())
            for locked in [false, true] {
                let start = asked.first { (model[$0] > 0) == locked }
                let end = start.map { start in
                    (start..<asked.upperBound).first { (model[$0] > 0) != locked } ?? asked.upperBound
                }
                let expected = start.flatMap { start in end.map { UInt64(start)..<UInt64($0) } }
                let found = counts.firstRun(locked: locked, in: pages)
                #expect(found == expected)
            }
        }
    }

    @Test("The tree stays balanced and uses its nodes again, whatever the order")
    func balance() {
        var counts = LockCounts()
        for round in 0..<3 {
            let pages = stride(from: UInt64(0), to: 8192, by: 2)
            for page in pages { counts.add(1, to: page..<page + 1) }
            // 8192 changes; an AVL tree of as many is at most 1.44 log2 as high.
            let height = counts.nodes[Int(counts.root)].height
            #expect(height <= 19)
            for page in round == 0 ? Array(pages.reversed()) : Array(pages) { counts.add(-1, to: page..<page + 1) }
            let (isEmpty, used) = (counts.isEmpty, counts.used)
            #expect(isEmpty && used == 8193)
        }
    }

    @Test("Any page numbers will do")
    func extremes() {
        var counts = LockCounts()
        counts.add(1, to: 0..<UInt64.max)
        counts.add(1, to: UInt64.max - 1..<UInt64.max)
        let lowest = counts.lowest(in: 0..<UInt64.max)
        let last = counts.lowest(in: UInt64.max - 1..<UInt64.max)
        let locked = counts.firstRun(locked: true, in: 7..<UInt64.max)
        let unlocked = counts.firstRun(locked: false, in: 0..<UInt64.max)
        #expect(lowest == 1 && last == 2)
        #expect(locked == 7..<UInt64.max && unlocked == nil)
    }
}
