import TestSupport
import Testing

@testable import VMRegions

@Suite("An interval tree against an array")
struct IntervalTreeTests {
    private struct Interval: TreeInterval, Equatable {
        let first: UInt64
        let last: UInt64
        let order: UInt64

        func overlaps(_ first: UInt64, _ last: UInt64) -> Bool {
            self.first <= last && first <= self.last
        }

        static func precedes(_ left: Interval, _ right: Interval) -> Bool {
            (left.first, left.order) < (right.first, right.order)
        }
    }

    private struct Trial {
        var tree = IntervalTree<Interval>()
        /// In the tree's order.
        var intervals: [Interval] = []
        var made: UInt64 = 0
        var numbers: SeededGenerator
        /// So small that many intervals begin together, or all numbers.
        let space: ClosedRange<UInt64>

        mutating func insert() {
            let bounds = [UInt64.random(in: space, using: &numbers), .random(in: space, using: &numbers)]
            made += 1
            let interval = Interval(first: bounds.min() ?? 0, last: bounds.max() ?? 0, order: made)
            tree.insert(interval)
            intervals.insert(interval, at: intervals.firstIndex { Interval.precedes(interval, $0) } ?? intervals.count)
        }

        /// - Returns: whether the tree had what the array had, and nothing else.
        mutating func remove() -> Bool {
            let absent = Interval(first: .random(in: space, using: &numbers), last: .max, order: 0)
            guard !tree.remove(absent) else { return false }
            guard !intervals.isEmpty else { return true }
            return tree.remove(intervals.remove(at: .random(in: intervals.indices, using: &numbers)))
        }

        mutating func agrees() -> Bool {
            let bounds = [UInt64.random(in: space, using: &numbers), .random(in: space, using: &numbers)].sorted()
            var found: [Interval] = []
            tree.forEach(overlapping: bounds[0], bounds[1]) { found.append($0) }
            return found == intervals.filter { $0.overlaps(bounds[0], bounds[1]) } && tree.count == intervals.count
        }
    }

    @Test(
        "Whatever is inserted and removed, the same intervals are found, and the tree is as low as an AVL tree is",
        arguments: Array(0..<12) + [UInt64.random(in: 12...(.max))])
    func model(_ seed: UInt64) {
        let space: ClosedRange<UInt64> =
            seed.isMultiple(of: 3) ? 0...(.max) : seed.isMultiple(of: 2) ? 0...40 : 0...1000
        var trial = Trial(numbers: SeededGenerator(seed: seed), space: space)
        for step in 0..<1500 {
            // It grows, shrinks and grows again, so that nodes are used again.
            let growth = step / 300 % 2 == 0 ? 3 : 1
            if Int.random(in: 0..<4, using: &trial.numbers) < growth {
                trial.insert()
            } else if !trial.remove() {
                Issue.record("seed \(seed), step \(step): removed")
            }
            guard trial.agrees() else {
                Issue.record("seed \(seed), step \(step)")
                return
            }
            if step.isMultiple(of: 10) {
                #expect(trial.tree.all == trial.intervals, "seed \(seed), step \(step)")
                expectLow(trial.tree, "seed \(seed), step \(step)")
            }
        }
    }

    @Test("Intervals in order make a low tree, and it stays low when they go", arguments: [false, true])
    func ascending(_ isReversed: Bool) {
        var tree = IntervalTree<Interval>()
        let intervals = (0..<1000 as Range<UInt64>).map { Interval(first: $0, last: $0, order: 0) }
        for interval in isReversed ? intervals.reversed() : intervals { tree.insert(interval) }
        expectLow(tree, "all")
        for interval in intervals.prefix(900) { tree.remove(interval) }
        #expect(tree.all == Array(intervals.suffix(100)))
        expectLow(tree, "a tenth")
    }

    /// The smallest AVL tree of a height has two of the heights below, as small as can be, under its root.
    private func expectLow(_ tree: IntervalTree<Interval>, _ comment: Comment) {
        var (fewest, next) = (0, 1)
        for _ in 0..<tree.height { (fewest, next) = (next, fewest + next + 1) }
        #expect(fewest <= tree.count, comment)
    }

    @Test("A tree that is a copy does not change with the other")
    func copies() {
        var tree = IntervalTree<Interval>()
        for first in 0..<20 as Range<UInt64> { tree.insert(Interval(first: first, last: first + 5, order: 0)) }
        let copy = tree
        for first in 0..<10 as Range<UInt64> { tree.remove(Interval(first: first, last: 0, order: 0)) }
        #expect(copy.all.map(\.first) == Array(0..<20))
        #expect(tree.all.map(\.first) == Array(10..<20))
    }
}
