import Testing
import VMAddressSpace

@Suite struct MemoryRangeTests {
    @Test(
        arguments: [
            (0x1000, 0, .empty(start: GuestAddress(0x1000))),
            (0x1001, 0x2000, .unalignedStart(GuestAddress(0x1001))),
            (0x1000, 0x2001, .unalignedCount(start: GuestAddress(0x1000), count: 0x2001)),
            (0x1800, 0x800, .unalignedStart(GuestAddress(0x1800))),
            (0, .max, .unalignedCount(start: GuestAddress(0), count: .max)),
            (.max - 0xfff, 0x2000, .pastEnd(start: GuestAddress(.max - 0xfff), count: 0x2000)),
            (0x2000, .max - 0xfff, .pastEnd(start: GuestAddress(0x2000), count: .max - 0xfff)),
        ] as [(UInt64, UInt64, MemoryRangeError)])
    func `a start and a length that make no range are refused`(
        _ start: UInt64, _ count: UInt64, _ error: MemoryRangeError
    ) {
        #expect(throws: error) { try MemoryRange(start: GuestAddress(start), count: count) }
    }

    @Test(
        arguments: [
            (0x1000, 0xfff, .reversed(start: GuestAddress(0x1000), last: GuestAddress(0xfff))),
            (0x1001, 0x1fff, .unalignedStart(GuestAddress(0x1001))),
            (0x1000, 0x2000, .unalignedCount(start: GuestAddress(0x1000), count: 0x1001)),
            (0, .max - 1, .unalignedCount(start: GuestAddress(0), count: .max)),
        ] as [(UInt64, UInt64, MemoryRangeError)])
    func `a first and a last byte that make no range are refused`(
        _ start: UInt64, _ last: UInt64, _ error: MemoryRangeError
    ) {
        #expect(throws: error) { try MemoryRange(from: GuestAddress(start), through: GuestAddress(last)) }
    }

    @Test(
        arguments: [
            (5..<5, .empty(start: GuestAddress(0x5000))), (0..<0, .empty(start: GuestAddress(0))),
            (0..<(1 << 52 + 1), .framesPastEnd(0..<(1 << 52 + 1))),
            ((1 << 52)..<(1 << 52), .framesPastEnd((1 << 52)..<(1 << 52))),
            (.max ..< .max, .framesPastEnd(.max ..< .max)),
        ] as [(Range<UInt64>, MemoryRangeError)])
    func `frames that make no range are refused`(_ frames: Range<UInt64>, _ error: MemoryRangeError) {
        #expect(throws: error) { try MemoryRange(frames: frames) }
    }

    @Test(
        arguments: [
            (.empty(start: GuestAddress(0x1000)), "a memory range at 0x1000 has no bytes"),
            (
                .reversed(start: GuestAddress(0x2000), last: GuestAddress(0xfff)),
                "a memory range from 0x2000 has its last byte below that, at 0xfff"
            ),
            (.unalignedStart(GuestAddress(0x800)), "a memory range starts at 0x800, which is not a multiple of 4 KiB"),
            (
                .unalignedCount(start: GuestAddress(0x1000), count: 100),
                "a memory range at 0x1000 is 100 bytes long, which is not a multiple of 4 KiB"
            ),
            (
                .pastEnd(start: GuestAddress(.max - 0xfff), count: 8192),
                "a memory range of 8192 bytes at 0xfffffffffffff000 passes the last address"
            ),
            (
                .framesPastEnd(1..<4_503_599_627_370_497),
                "a memory range of the page frames 1..<4503599627370497 passes the last one, 4503599627370495"
            ),
        ] as [(MemoryRangeError, String)])
    func `an error names the number at fault`(_ error: MemoryRangeError, _ text: String) {
        #expect(error.description == text)
    }

    @Test func `the ways to say a range agree`() throws {
        let range = try MemoryRange(start: GuestAddress(0x3000), count: 0x2000)
        #expect(try MemoryRange(from: GuestAddress(0x3000), through: GuestAddress(0x4fff)) == range)
        #expect(try MemoryRange(frames: 3..<5) == range)
        #expect(try MemoryRange(bytes(0x3000, through: 0x4fff)) == range)
        #expect(AddressRange(range) == bytes(0x3000, through: 0x4fff))
        #expect(range.frames == 3..<5)
        #expect(range.pageCount == 2)
        #expect(range.count == 0x2000)
    }

    @Test func `a range can end at the end of all addresses`() throws {
        let top = try MemoryRange(start: GuestAddress(.max - 0xfff), count: 0x1000)
        #expect(top.last == GuestAddress(.max))
        #expect(top.count == 0x1000 && top.pageCount == 1)
        #expect(top.endExclusive == nil)
        #expect(top.frames == (1 << 52 - 1)..<(1 << 52))
        #expect(pages((1 << 52 - 1)..<(1 << 52)) == top)
        #expect(try MemoryRange(start: GuestAddress(0x1000), count: .max - 0xfff) == pages(1..<(1 << 52)))
    }

    @Test func `the pages of the whole space can be counted though its bytes cannot`() throws {
        #expect(MemoryRange.whole.pageCount == 1 << 52)
        #expect(MemoryRange.whole.count == .max)
        #expect(MemoryRange.whole == pages(0..<(1 << 52)))
        #expect(try MemoryRange(from: GuestAddress(0), through: GuestAddress(.max)) == .whole)
    }

    @Test func `the intersection of pages is pages`() {
        let shared: MemoryRange? = pages(0..<5).intersection(pages(3..<9))
        #expect(shared == pages(3..<5))
        #expect(pages(0..<5).intersection(pages(5..<9)) == nil)
        #expect(pages(0..<5).intersection(.whole) == pages(0..<5))
    }

    @Test func `a range moves with its length, and not past the last address`() throws {
        #expect(try pages(3..<5).moved(to: GuestAddress(0)) == pages(0..<2))
        #expect(try pages(3..<5).moved(to: GuestAddress(.max - 0x1fff)) == pages((1 << 52 - 2)..<(1 << 52)))
        #expect(try MemoryRange.whole.moved(to: GuestAddress(0)) == .whole)
        #expect(throws: MemoryRangeError.pastEnd(start: GuestAddress(.max - 0xfff), count: 0x2000)) {
            try pages(3..<5).moved(to: GuestAddress(.max - 0xfff))
        }
        #expect(throws: MemoryRangeError.unalignedStart(GuestAddress(0x800))) {
            try pages(3..<5).moved(to: GuestAddress(0x800))
        }
    }
}
