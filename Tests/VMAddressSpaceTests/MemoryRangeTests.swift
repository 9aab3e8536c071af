import Testing
import VMAddressSpace

@Suite struct MemoryRangeTests {
    @Test func aRangeIsNeverEmpty() {
        #expect(MemoryRange(start: GuestAddress(0x1000), count: 0) == nil)
    }

    @Test func aRangeCanEndAtTheTopOfTheAddressSpaceButNotPassIt() throws {
        let top = try #require(MemoryRange(start: GuestAddress(.max - 0xfff), count: 0x1000))
        #expect(top.last.rawValue == .max)
        #expect(top.count == 0x1000)
        #expect(MemoryRange(start: GuestAddress(.max - 0xfff), count: 0x1001) == nil)
        #expect(MemoryRange(start: GuestAddress(1), count: .max)?.last.rawValue == .max)
        #expect(MemoryRange(start: GuestAddress(2), count: .max) == nil)
    }

    @Test(
        arguments: [
            (0x1000, 0x1000, true), (0x0, 0x1001, true), (0x1fff, 1, true), (0x0, 0x1000, false),
            (0x2000, 0x1000, false),
            (0x0, 0x10000, true),
        ] as [(UInt64, UInt64, Bool)])
    func rangesOverlapWhereTheyShareAnAddress(_ start: UInt64, _ count: UInt64, _ overlaps: Bool) throws {
        let page = try #require(MemoryRange(start: GuestAddress(0x1000), count: 0x1000))
        let other = try #require(MemoryRange(start: GuestAddress(start), count: count))
        #expect(page.overlaps(other) == overlaps)
        #expect(other.overlaps(page) == overlaps)
    }

    @Test func aRangeContainsItsFirstAndLastAddressAndNoneBeyond() throws {
        let range = try #require(MemoryRange(start: GuestAddress(0x1000), count: 0x1000))
        #expect(range.contains(GuestAddress(0x1000)))
        #expect(range.contains(GuestAddress(0x1fff)))
        #expect(!range.contains(GuestAddress(0xfff)))
        #expect(!range.contains(GuestAddress(0x2000)))
        #expect(range.contains(range))
    }

    @Test func alignmentIsThatOfBothEnds() throws {
        let page = PageSize.size4K.bytes
        #expect(try #require(MemoryRange(start: GuestAddress(0x1000), count: 0x2000)).isAligned(to: page))
        #expect(try !#require(MemoryRange(start: GuestAddress(0x1001), count: 0x2000)).isAligned(to: page))
        #expect(try !#require(MemoryRange(start: GuestAddress(0x1000), count: 0x2001)).isAligned(to: page))
        #expect(try #require(MemoryRange(start: GuestAddress(.max - 0xfff), count: 0x1000)).isAligned(to: page))
    }

    @Test func addressArithmeticReportsOverflow() {
        #expect(GuestAddress(.max).advanced(byBytes: 1) == nil)
        #expect(GuestAddress(.max).advanced(byBytes: 0) == GuestAddress(.max))
        #expect(GuestAddress(0x1000).description == "0x1000")
    }
}
