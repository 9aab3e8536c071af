import TestSupport
import Testing
import VMAddressSpace

@Suite struct PageRunsTests {
    /// Pages per large page.
    private static let large: UInt64 = 512
    private static let huge: UInt64 = 512 * 512

    @Test func `a range that small pages surround has large ones in the middle`() {
        let large = Self.large
        let huge = Self.huge
        let range = pages((huge - large - 1)..<(3 * huge + 2 * large + 7))
        let runs = Array(range.pageRuns())
        #expect(runs.map(\.size) == [.size4K, .size2M, .size1G, .size2M, .size4K])
        #expect(runs.map(\.pageCount) == [1, 1, 2, 2, 7])
        #expect(runs.first?.range.start == range.start && runs.last?.range.last == range.last)
        #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.range.endExclusive == $1.range.start })
    }

    @Test func `nothing larger is used than is asked for`() {
        let range = pages(0..<(2 * Self.huge + 1))
        #expect(range.pageRuns(upTo: .size1G).map(\.pageCount) == [2, 1])
        #expect(range.pageRuns(upTo: .size2M).map(\.pageCount) == [2 * Self.large, 1])
        #expect(range.pageRuns(upTo: .size4K).map(\.pageCount) == [2 * Self.huge + 1])
    }

    @Test func `a range too small for a large page, or across its boundary, is all small pages`() {
        #expect(pages(5..<9).pageRuns().map(\.size) == [.size4K])
        #expect(pages(1..<(2 * Self.large - 1)).pageRuns().map(\.size) == [.size4K])
        #expect(pages((Self.huge - 3)..<(Self.huge + 3)).pageRuns().map(\.size) == [.size4K])
    }

    @Test func `the whole space is 1 GiB pages, and its last pages end with it`() {
        let whole = Array(MemoryRange.whole.pageRuns())
        #expect(whole.map(\.size) == [.size1G])
        #expect(whole.map(\.pageCount) == [1 << 34])
        #expect(MemoryRange.whole.pageRuns(upTo: .size4K).map(\.pageCount) == [1 << 52])
        let top = Array(pages((1 << 52 - Self.large - 2)..<(1 << 52)).pageRuns())
        #expect(top.map(\.size) == [.size4K, .size2M])
        #expect(top.map(\.pageCount) == [2, 1])
    }

    @Test(
        arguments: [
            (0, .size1G), (0x40_0000_0000, .size1G), (0x7f00_0020_0000, .size2M), (0x7f00_0000_1000, .size4K),
            (0x7f00_0000_0001, .size4K),
        ] as [(UInt, PageSize)])
    func `a page is no larger than guest and host addresses agree on`(_ host: UInt, _ largest: PageSize) {
        let range = pages(Self.huge..<(2 * Self.huge))
        #expect(range.pageRuns(mappedTo: host).map(\.size) == [largest])
    }

    @Test func `memory with the same offset in both keeps its large pages`() throws {
        let range = try MemoryRange(start: GuestAddress(0x10_0000), count: 0x40_0000)
        #expect(range.pageRuns(mappedTo: 0x7f12_3450_0000).map(\.size) == [.size4K, .size2M, .size4K])
        #expect(range.pageRuns(mappedTo: 0x7f12_3440_0000).map(\.size) == [.size4K])
    }

    /// A run of pages of one size, in page frames.
    private struct Run: Equatable {
        let size: PageSize
        var frames: Range<UInt64>
    }

    /// Takes the largest page that fits, one page after the other.
    private func modelRuns(_ frames: Range<UInt64>, upTo largest: PageSize) -> [Run] {
        var runs: [Run] = []
        var next = frames.lowerBound
        while next < frames.upperBound {
            let size = PageSize.allCases.last { size in
                let pages = size.bytes / 0x1000
                return size <= largest && next.isMultiple(of: pages) && next + pages <= frames.upperBound
            }!
            let end = next + size.bytes / 0x1000
            if let run = runs.last, run.size == size {
                runs[runs.count - 1].frames = run.frames.lowerBound..<end
            } else {
                runs.append(Run(size: size, frames: next..<end))
            }
            next = end
        }
        return runs
    }

    @Test func `runs of pages are what taking the largest page at every step gives`() {
        for seed in 0..<120 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            // At every scale, and at times up to the last address.
            let magnitude = UInt64(1) << UInt64.random(in: 3...20, using: &generator)
            let count = UInt64.random(in: 1...magnitude, using: &generator)
            let anywhere = UInt64.random(in: 0..<(1 << 20), using: &generator) & ~(magnitude / 4 - 1)
            let start = seed.isMultiple(of: 4) ? GuestAddress.frameCount - count : anywhere
            let range = pages(start..<(start + count))
            let largest = PageSize.allCases[Int(seed / 4 % 3)]
            let runs = range.pageRuns(upTo: largest).map { Run(size: $0.size, frames: $0.range.frames) }
            #expect(runs == modelRuns(range.frames, upTo: largest), "seed \(seed): \(range) up to \(largest)")
        }
    }
}
