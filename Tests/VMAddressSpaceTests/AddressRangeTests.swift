import Testing
import VMAddressSpace

@Suite struct AddressRangeTests {
    @Test func `a range is never empty and never passes the last address`() {
        #expect(AddressRange(start: GuestAddress(0x1000), count: 0) == nil)
        #expect(AddressRange(start: GuestAddress(.max), count: 1)?.last == GuestAddress(.max))
        #expect(AddressRange(start: GuestAddress(.max), count: 2) == nil)
        #expect(AddressRange(start: GuestAddress(1), count: .max)?.last == GuestAddress(.max))
        #expect(AddressRange(start: GuestAddress(2), count: .max) == nil)
        #expect(AddressRange(from: GuestAddress(8), through: GuestAddress(7)) == nil)
        #expect(AddressRange(7..<7) == nil)
        #expect(AddressRange(7..<9) == bytes(7, through: 8))
    }

    @Test func `the length of all addresses saturates`() {
        #expect(bytes(0, through: .max).count == .max)
        #expect(bytes(1, through: .max).count == .max)
        #expect(bytes(5, through: 5).count == 1)
    }

    @Test func `the end is the address after the last, where there is one`() {
        #expect(bytes(5, through: 9).endExclusive == GuestAddress(10))
        #expect(bytes(5, through: .max).endExclusive == nil)
    }

    @Test(
        arguments: [
            (0x1000, 0x1fff, true), (0, 0x1000, true), (0x1fff, 0x1fff, true), (0, 0xfff, false),
            (0x2000, 0x2fff, false), (0, .max, true), (0x1fff, .max, true), (.max, .max, false),
        ] as [(UInt64, UInt64, Bool)])
    func `ranges overlap where they share an address`(_ start: UInt64, _ last: UInt64, _ overlap: Bool) {
        let page = pages(1..<2)
        let other = bytes(start, through: last)
        #expect(page.overlaps(other) == overlap)
        #expect(other.overlaps(page) == overlap)
        #expect((page.intersection(other) != nil) == overlap)
        #expect(page.intersection(other) == other.intersection(page))
    }

    @Test func `a range contains its first and its last address and none beyond`() {
        let range = bytes(0x1001, through: 0x1fff)
        #expect(range.contains(GuestAddress(0x1001)) && range.contains(GuestAddress(0x1fff)))
        #expect(!range.contains(GuestAddress(0x1000)) && !range.contains(GuestAddress(0x2000)))
        #expect(range.contains(range))
        #expect(pages(1..<2).contains(range) && !range.contains(pages(1..<2)))
        #expect(MemoryRange.whole.contains(bytes(.max, through: .max)))
    }

    @Test func `the intersection is what both have`() {
        #expect(bytes(3, through: 9).intersection(bytes(5, through: 20)) == bytes(5, through: 9))
        #expect(bytes(3, through: 9).intersection(bytes(9, through: .max)) == bytes(9, through: 9))
        #expect(bytes(3, through: 9).intersection(bytes(10, through: .max)) == nil)
        #expect(bytes(3, through: 9).intersection(MemoryRange.whole) == bytes(3, through: 9))
    }

    @Test func `ranges adjoin where one begins at the other's end, and nothing adjoins across the last address`() {
        #expect(bytes(0, through: 4).isAdjacent(to: bytes(5, through: 5)))
        #expect(bytes(5, through: 5).isAdjacent(to: bytes(0, through: 4)))
        #expect(!bytes(0, through: 5).isAdjacent(to: bytes(5, through: 5)))
        #expect(!bytes(0, through: 3).isAdjacent(to: bytes(5, through: 5)))
        #expect(!bytes(0, through: 0).isAdjacent(to: bytes(.max, through: .max)))
    }

    @Test func `alignment is that of both ends`() {
        let page = PageSize.size4K.bytes
        #expect(bytes(0x1000, through: 0x2fff).isAligned(to: page))
        #expect(!bytes(0x1001, through: 0x2fff).isAligned(to: page))
        #expect(!bytes(0x1000, through: 0x3000).isAligned(to: page))
        #expect(bytes(.max - 0xfff, through: .max).isAligned(to: page))
        #expect(bytes(0, through: .max).isAligned(to: PageSize.size1G.bytes))
    }

    @Test func `ranges sort by their first byte, then by their last`() {
        let sorted = [bytes(0, through: 0), bytes(0, through: 1), bytes(1, through: 1), bytes(1, through: .max)]
        #expect(sorted.reversed().sorted() == sorted)
    }

    @Test func `a range is shown by its first and last address`() {
        #expect(bytes(0x1000, through: 0x1fff).description == "[0x1000, 0x1fff]")
        #expect(pages(1..<2).description == "[0x1000, 0x1fff]")
    }
}
