import Testing
import VMAddressSpace

@Suite struct AlignmentTests {
    @Test(
        arguments: [
            (0x1000, 0x1fff, 0x1000, 0x1fff), (0x1001, 0x2fff, 0x2000, 0x2fff), (0x1000, 0x2ffe, 0x1000, 0x1fff),
            (0xfff, 0x2000, 0x1000, 0x1fff), (.max - 0x1000, .max, .max - 0xfff, .max), (0, .max, 0, .max),
            (1, .max - 1, 0x1000, .max - 0x1000),
        ] as [(UInt64, UInt64, UInt64, UInt64)])
    func `the whole pages in a range are found`(_ start: UInt64, _ last: UInt64, _ first: UInt64, _ end: UInt64) throws
    {
        let found = bytes(start, through: last).largestSubrange(alignedTo: .size4K)
        #expect(try found == MemoryRange(from: GuestAddress(first), through: GuestAddress(end)))
    }

    @Test(
        arguments: [
            (0x1001, 0x1fff), (0x1000, 0x1ffe), (0x1001, 0x2ffe), (0, 0xffe), (.max - 0xffe, .max), (.max, .max),
            (0xfff, 0x1ffe),
        ] as [(UInt64, UInt64)])
    func `there may be no whole page in a range`(_ start: UInt64, _ last: UInt64) {
        #expect(bytes(start, through: last).largestSubrange(alignedTo: .size4K) == nil)
    }

    @Test func `large pages are found in a range of small ones`() {
        #expect(pages(1..<1536).largestSubrange(alignedTo: .size2M) == pages(512..<1536))
        #expect(pages(1..<1535).largestSubrange(alignedTo: .size2M) == pages(512..<1024))
        #expect(pages(1..<1023).largestSubrange(alignedTo: .size2M) == nil)
        #expect(pages(512..<1024).largestSubrange(alignedTo: .size1G) == nil)
        let top = pages((1 << 52 - 513)..<(1 << 52))
        #expect(top.largestSubrange(alignedTo: .size2M) == pages((1 << 52 - 512)..<(1 << 52)))
        #expect(top.largestSubrange(alignedTo: .size1G) == nil)
    }

    @Test(
        arguments: [
            (0x1000, 0x1fff, 0x1000, 0x1fff), (0x1fff, 0x2000, 0x1000, 0x2fff), (0, 0, 0, 0xfff),
            (.max, .max, .max - 0xfff, .max), (1, .max - 1, 0, .max),
        ] as [(UInt64, UInt64, UInt64, UInt64)])
    func `the pages that a range touches enclose it`(
        _ start: UInt64, _ last: UInt64, _ first: UInt64, _ end: UInt64
    ) throws {
        let enclosing = bytes(start, through: last).enclosingRange(alignedTo: .size4K)
        #expect(try enclosing == MemoryRange(from: GuestAddress(first), through: GuestAddress(end)))
    }

    @Test func `large pages enclose a range of small ones`() {
        #expect(pages(511..<513).enclosingRange(alignedTo: .size2M) == pages(0..<1024))
        #expect(pages(511..<513).enclosingRange(alignedTo: .size1G) == pages(0..<(512 * 512)))
    }
}
