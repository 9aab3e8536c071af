import TestSupport
import Testing

@testable import VMDirtyTracking

@Suite("Runs of set bits in words") struct WordRunsTests {
    private func runs(_ words: [UInt64]) -> [Range<UInt64>] {
        words.withUnsafeBufferPointer { Array(IteratorSequence(WordRuns($0))) }
    }

    /// Bit by bit.
    private func expected(_ words: [UInt64]) -> [Range<UInt64>] {
        var runs: [Range<UInt64>] = []
        for bit in 0..<UInt64(words.count * 64) where words[Int(bit / 64)] >> (bit % 64) & 1 == 1 {
            if let last = runs.last, last.upperBound == bit {
                runs[runs.count - 1] = last.lowerBound..<bit + 1
            } else {
                runs.append(bit..<bit + 1)
            }
        }
        return runs
    }

    @Test("No words, and words of zeros, have none", arguments: [0, 1, 7, 8, 9, 64, 1000])
    func none(_ count: Int) {
        #expect(runs([UInt64](repeating: 0, count: count)) == [])
    }

    @Test("Words of ones are one run", arguments: [1, 2, 7, 8, 9, 15, 16, 17, 1000])
    func all(_ count: Int) {
        #expect(runs([UInt64](repeating: ~0, count: count)) == [0..<UInt64(count) * 64])
    }

    @Test("A run ends where it ends, in a word, at a word's end, or after many words", arguments: [0, 1, 7, 8, 9, 30])
    func ends(_ full: Int) {
        let ones = [UInt64](repeating: ~0, count: full)
        for length in [1, 2, 31, 62, 63] as [UInt64] {
            let bits: UInt64 = 1 << length - 1
            let end = UInt64(full) * 64
            // From the first bit on, up to the last of them, and from a word's last bit on.
            #expect(runs(ones + [bits]) == [0..<end + length])
            #expect(runs(ones + [bits, 0, 1]) == [0..<end + length, end + 128..<end + 129])
            #expect(runs([1 << 63] + ones + [bits]) == [63..<64 + end + length])
            #expect(runs([bits << (64 - length)] + ones) == [64 - length..<64 + end])
        }
    }

    @Test("Bits that touch no other are runs of their own")
    func alternating() {
        let words = [UInt64](repeating: 0x5555_5555_5555_5555, count: 20)
        let even: [Range<UInt64>] = stride(from: 0, to: 1280, by: 2).map { $0..<$0 + 1 }
        #expect(runs(words) == even)
        #expect(runs(words.map { ~$0 }) == even.map { $0.upperBound..<$0.upperBound + 1 })
    }

    @Test(
        "They are the same as bit by bit, and so is their number in any range of bits",
        arguments: [1, 2, .random(in: 3...(.max))] as [UInt64])
    func random(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<1000 {
            let words = RandomWords.words(.random(in: 0...40, using: &random), using: &random)
            #expect(runs(words) == expected(words), "seed \(seed): \(words)")
            let bits = UInt64(words.count * 64)
            let low = UInt64.random(in: 0...bits, using: &random)
            let range = low..<UInt64.random(in: low...bits, using: &random)
            let count = range.count { words[Int($0 / 64)] >> ($0 % 64) & 1 == 1 }
            words.withUnsafeBufferPointer { words in
                #expect(words.setBitCount(range) == UInt64(count), "seed \(seed): \(range)")
                #expect(words.setBitCount() == words.reduce(0) { $0 + UInt64($1.nonzeroBitCount) }, "seed \(seed)")
            }
        }
    }
}
