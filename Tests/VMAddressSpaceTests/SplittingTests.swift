import Testing
import VMAddressSpace

@Suite struct SplittingTests {
    @Test func `a range splits between two of its pages`() throws {
        let parts = try #require(pages(2..<5).split(at: GuestAddress(0x3000)))
        #expect(parts.below == pages(2..<3) && parts.above == pages(3..<5))
        let halves = try #require(MemoryRange.whole.split(at: GuestAddress(1 << 63)))
        #expect(halves.below == pages(0..<(1 << 51)) && halves.above == pages((1 << 51)..<(1 << 52)))
    }

    @Test(arguments: [0, 0x1000, 0x2000, 0x5000, 0x6000, 0x3001, 0x3fff, .max] as [UInt64])
    func `a range does not split at its ends, outside, or within a page`(_ address: UInt64) {
        #expect(pages(2..<5).split(at: GuestAddress(address)) == nil)
    }

    @Test(
        arguments: [
            (0..<10, 0x4000, [0..<4, 4..<8, 8..<10]), (3..<10, 0x4000, [3..<4, 4..<8, 8..<10]),
            (4..<8, 0x4000, [4..<8]),
            (5..<7, 0x4000, [5..<7]), (0..<7, 0x3000, [0..<3, 3..<6, 6..<7]), (1..<4, 0x1000, [1..<2, 2..<3, 3..<4]),
            (1..<4, 0, [1..<2, 2..<3, 3..<4]), (0..<5, 0x1001, [0..<2, 2..<4, 4..<5]), (3..<9, .max, [3..<9]),
            (3..<9, 1 << 63, [3..<9]),
        ] as [(Range<UInt64>, UInt64, [Range<UInt64>])])
    func `chunks lie between the multiples of the stride`(
        _ range: Range<UInt64>, _ stride: UInt64, _ chunks: [Range<UInt64>]
    ) {
        #expect(pages(range).chunks(of: stride).map(\.frames) == chunks)
    }

    @Test func `chunks reach the end of all addresses`() {
        let halves = Array(MemoryRange.whole.chunks(of: 1 << 63))
        #expect(halves == [pages(0..<(1 << 51)), pages((1 << 51)..<(1 << 52))])
        #expect(Array(MemoryRange.whole.chunks(of: .max)) == [.whole])
        let top = pages((1 << 52 - 3)..<(1 << 52))
        #expect(top.chunks(of: 0x2000).map(\.pageCount) == [1, 2])
    }

    @Test func `RAM above the hole below 4 GiB comes in chunks of 2 GiB`() throws {
        let high = try MemoryRange(start: GuestAddress(4 << 30), count: 5 << 30)
        #expect(high.chunks(of: 2 << 30).map(\.count) == [2 << 30, 2 << 30, 1 << 30])
        let low = try MemoryRange(start: GuestAddress(0), count: 3 << 30)
        #expect(low.chunks(of: 2 << 30).map(\.count) == [2 << 30, 1 << 30])
    }
}
