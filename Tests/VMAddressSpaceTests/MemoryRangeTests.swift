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
    func `what makes no range says why`(_ start: UInt64, _ count: UInt64, _ error: MemoryRangeError) {
        #expect(throws: error) { try MemoryRange(start: GuestAddress(start), count: count) }
    }

    @Test func `a range can end at the end of all addresses`() throws {
        let top = try MemoryRange(start: GuestAddress(.max - 0xfff), count: 0x1000)
        #expect(top.last == GuestAddress(.max))
        #expect(top.count == 0x1000 && top.pageCount == 1)
        #expect(top.endExclusive == nil)
        let allButOnePage = try MemoryRange(start: GuestAddress(0x1000), count: .max - 0xfff)
        #expect(allButOnePage.last == GuestAddress(.max))
    }
}
