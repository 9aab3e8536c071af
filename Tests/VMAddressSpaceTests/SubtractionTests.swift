import Testing
import VMAddressSpace

@Suite struct SubtractionTests {
    @Test(
        arguments: [
            (10..<20, 13..<15, 10..<13, 15..<20), (10..<20, 10..<15, nil, 15..<20), (10..<20, 15..<20, 10..<15, nil),
            (10..<20, 10..<20, nil, nil), (10..<20, 0..<30, nil, nil), (10..<20, 0..<12, nil, 12..<20),
            (10..<20, 18..<30, 10..<18, nil), (10..<20, 0..<10, nil, 10..<20), (10..<20, 20..<30, 10..<20, nil),
            (0..<(1 << 52), 0..<1, nil, 1..<(1 << 52)), (0..<(1 << 52), 5..<(1 << 52), 0..<5, nil),
            (0..<(1 << 52), 0..<(1 << 52), nil, nil),
        ] as [(Range<UInt64>, Range<UInt64>, Range<UInt64>?, Range<UInt64>?)])
    func `what is below and above the other is left`(
        _ range: Range<UInt64>, _ other: Range<UInt64>, _ below: Range<UInt64>?, _ above: Range<UInt64>?
    ) {
        let left: (below: MemoryRange?, above: MemoryRange?) = pages(range).subtracting(pages(other))
        #expect(left.below?.frames == below)
        #expect(left.above?.frames == above)
    }

    @Test func `bytes are left of pages and pages of bytes`() {
        let left: (below: AddressRange?, above: AddressRange?) = pages(1..<2).subtracting(
            bytes(0x1001, through: 0x1ffe))
        #expect(left.below == bytes(0x1000, through: 0x1000))
        #expect(left.above == bytes(0x1fff, through: 0x1fff))
    }

    @Test(
        arguments: [
            ([], [10..<20]), ([10..<20], []), ([0..<30], []), ([0..<10, 20..<30], [10..<20]),
            ([12..<14, 16..<18], [10..<12, 14..<16, 18..<20]), ([10..<12, 12..<20], []),
            ([0..<11, 19..<25], [11..<19]), ([11..<15, 12..<13, 14..<16], [10..<11, 16..<20]), ([0..<5], [10..<20]),
        ] as [([Range<UInt64>], [Range<UInt64>])])
    func `the gaps between ranges are left`(_ ranges: [Range<UInt64>], _ gaps: [Range<UInt64>]) {
        #expect(pages(10..<20).subtracting(ranges.map(pages)).map(\.frames) == gaps)
    }

    @Test func `gaps reach from the first to the last address`() {
        let last = 1 << 52 - 1 as UInt64
        #expect(MemoryRange.whole.subtracting([pages(1..<last)]).map(\.frames) == [0..<1, last..<(last + 1)])
        #expect(MemoryRange.whole.subtracting([pages(0..<1), pages(last..<(last + 1))]).map(\.frames) == [1..<last])
        #expect(Array(MemoryRange.whole.subtracting([.whole])).isEmpty)
    }

    @Test func `gaps between bytes are bytes`() {
        let gaps = Array(bytes(5, through: 20).subtracting([bytes(7, through: 7), bytes(9, through: 19)]))
        #expect(gaps == [bytes(5, through: 6), bytes(8, through: 8), bytes(20, through: 20)])
    }

    @Test func `no more of the sequence is read than is needed`() {
        var asked = 0
        let ranges = (0..<1000 as Range<UInt64>).lazy.map { (index: UInt64) in
            asked += 1
            return pages((index * 2)..<(index * 2 + 1))
        }
        var gaps = pages(0..<2000).subtracting(ranges).makeIterator()
        #expect(gaps.next()?.frames == 1..<2)
        #expect(asked <= 3)
    }

    @Test func `ranges out of order leave pieces that still ascend and are within`() {
        let gaps = Array(pages(10..<20).subtracting([pages(16..<18), pages(12..<14), pages(0..<5), pages(30..<40)]))
        #expect(zip(gaps, gaps.dropFirst()).allSatisfy { $0.last < $1.start })
        #expect(gaps.allSatisfy { pages(10..<20).contains($0) && !$0.overlaps(pages(16..<18)) })
    }
}
