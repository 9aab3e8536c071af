import TestSupport
import Testing
import VMAddressSpace
import VMDirtyTracking

@Suite struct HeatmapAxisTests {
    /// Memory as guests have it, and worse.
    static let memories: [[Range<UInt64>]] = [
        [0..<1],
        [0..<16_384],
        [0..<160, 256..<786_432, 0x10_0000..<0x14_0000],
        [0..<16_777_216],
        [0..<16_384, (1 << 28)..<((1 << 28) + 16_384)],
        [7..<8, 9..<10, 11..<12, 1_000_003..<1_000_010, ((1 << 52) - 3)..<(1 << 52)],
        (0..<3000).map { ($0 * 5)..<($0 * 5 + 2) },
        [0..<(1 << 52)],
    ]

    @Test(arguments: memories, [1, 2, 40, 1000, 1024])
    func `columns follow each other, have all the memory, and differ by a page at most`(
        _ frames: [Range<UInt64>], _ limit: Int
    ) {
        let axis = HeatmapAxis(frames.map(pages), columnLimit: limit)
        let pageCount = frames.reduce(0) { $0 + UInt64($1.count) }
        #expect(axis.pageCount == pageCount)
        #expect(UInt64(axis.columnCount) == min(pageCount, UInt64(limit)))
        var next: UInt64 = 0
        for column in axis.columns {
            let positions = axis.positions(ofColumn: column)
            #expect(positions.lowerBound == next)
            next = positions.upperBound
        }
        #expect(next == pageCount)
        let counts = axis.columns.map(axis.pageCount(ofColumn:))
        let spread = (counts.max() ?? 0) - (counts.min() ?? 0)
        #expect(counts.min() ?? 0 > 0 && spread <= 1)
    }

    @Test(arguments: memories)
    func `an address leads to its position and column, and back`(_ frames: [Range<UInt64>]) throws {
        let axis = HeatmapAxis(frames.map(pages), columnLimit: 1024)
        var random = SeededGenerator(seed: 1)
        for extent in frames {
            for _ in 0..<50 {
                let frame = UInt64.random(in: extent, using: &random)
                let page = try #require(GuestAddress(frame: frame))
                let address = GuestAddress(page.rawValue + .random(in: 0..<4096, using: &random))
                let position = try #require(axis.position(of: address))
                let column = try #require(axis.column(of: address))
                #expect(axis.address(at: position) == page)
                #expect(axis.column(at: position) == column)
                #expect(axis.positions(ofColumn: column).contains(position))
                #expect(axis.memory(ofColumns: column..<(column + 1)).contains { $0.contains(address) })
            }
        }
    }

    @Test(arguments: memories)
    func `all columns together have the memory the axis was made of`(_ frames: [Range<UInt64>]) {
        let axis = HeatmapAxis(frames.map(pages), columnLimit: 1024)
        #expect(axis.memory(ofColumns: axis.columns) == frames.map(pages))
    }

    @Test func `where there is no memory there is no position`() {
        let axis = HeatmapAxis([pages(16..<32), pages(64..<65)], columnLimit: 100)
        for frame: UInt64 in [0, 15, 32, 63, 65, 1 << 51] {
            #expect(GuestAddress(frame: frame).flatMap(axis.position(of:)) == nil)
            #expect(GuestAddress(frame: frame).flatMap(axis.column(of:)) == nil)
        }
        #expect(axis.address(at: 17) == nil && axis.column(at: 17) == nil && axis.address(at: .max) == nil)
    }

    @Test func `a hole is between the memory below it and above it`() {
        let axis = HeatmapAxis([pages(0..<4), pages(8..<12), pages(12..<14)], columnLimit: 100)
        #expect(axis.holes.map(\.below) == [GuestAddress(0x3fff)])
        #expect(axis.holes.map(\.above) == [GuestAddress(0x8000)])
        #expect(axis.holes.map(\.position) == [4])
        #expect(axis.extents.map(\.positions) == [0..<4, 4..<10])
    }

    @Test func `the order of ranges does not matter, nor that they overlap`() {
        let tidy = HeatmapAxis([pages(0..<20), pages(30..<40)], columnLimit: 8)
        let untidy = HeatmapAxis([pages(30..<40), pages(5..<20), pages(0..<10)], columnLimit: 8)
        #expect(tidy == untidy)
    }

    @Test func `an axis of no memory has no columns`() {
        let axis = HeatmapAxis([MemoryRange](), columnLimit: 100)
        #expect(axis.columnCount == 0 && axis.pageCount == 0 && axis.columns.isEmpty && axis.holes.isEmpty)
        #expect(axis.position(of: GuestAddress(0)) == nil && axis.memory(ofColumns: axis.columns).isEmpty)
    }

    @Test(arguments: [0, -1, Int.min]) func `there is one column at least`(_ limit: Int) {
        #expect(HeatmapAxis([pages(0..<9)], columnLimit: limit).columnCount == 1)
    }
}
