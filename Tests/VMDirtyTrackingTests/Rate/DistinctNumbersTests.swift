import TestSupport
import Testing

@testable import VMDirtyTracking

@Suite struct DistinctNumbersTests {
    @Test(arguments: [(0, 0), (0, 5), (1, 1), (5, 5), (9, 5), (3, 1000), (999, 1000)] as [(Int, UInt64)])
    func `they are distinct, ascending and below the limit`(count: Int, limit: UInt64) {
        var random = SeededGenerator(seed: limit)
        let numbers = random.distinctNumbers(count, below: limit)
        #expect(numbers.count == min(count, Int(limit)))
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
        #expect(numbers.allSatisfy { $0 < limit })
    }

    /// 3 of 6: each of the 20 sets is drawn 1000 times, give or take six standard deviations.
    @Test func `each set is as likely as any other`() {
        var random = SeededGenerator(seed: 7)
        var counts: [[UInt64]: Int] = [:]
        for _ in 0..<20_000 { counts[random.distinctNumbers(3, below: 6), default: 0] += 1 }
        #expect(counts.count == 20)
        #expect(counts.values.allSatisfy { 800...1200 ~= $0 })
    }
}
