import Testing
import VMAddressSpace

@Suite struct MergedRangesTests {
    @Test(
        arguments: [
            ([], []), ([3..<5], [3..<5]), ([1..<2, 2..<3, 3..<4], [1..<4]), ([1..<2, 3..<4], [1..<2, 3..<4]),
            ([1..<5, 2..<3, 4..<6, 7..<8], [1..<6, 7..<8]), ([1..<5, 1..<5], [1..<5]),
            ([0..<1, 1..<(1 << 52)], [0..<(1 << 52)]),
            ([0..<(1 << 52), 5..<6], [0..<(1 << 52)]),
            ([0..<1, (1 << 52 - 1)..<(1 << 52)], [0..<1, (1 << 52 - 1)..<(1 << 52)]),
        ] as [([Range<UInt64>], [Range<UInt64>])])
    func `ranges that overlap or adjoin become one`(_ ranges: [Range<UInt64>], _ merged: [Range<UInt64>]) {
        #expect(ranges.map(pages).merged().map(\.frames) == merged)
    }

    @Test func `what is merged can be merged and walked again`() {
        let merged = [pages(0..<2), pages(2..<3), pages(5..<6)].merged()
        #expect(Array(merged.merged()) == Array(merged))
        #expect(Array(merged) == [pages(0..<3), pages(5..<6)])
    }
}
