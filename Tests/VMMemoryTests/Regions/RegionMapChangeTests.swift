import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("Changing a memory map's regions")
struct RegionMapChangeTests {
    private func map() throws -> RegionMap {
        try RegionMap([TestRegions.bare(0x4000, 0x1000), TestRegions.bare(0x8000, 0x2000)])
    }

    private func starts(_ map: RegionMap) -> [UInt64] { map.regions.map(\.range.start.rawValue) }

    @Test("Regions may be inserted in any order; the map they were inserted into stays as it was")
    func inserting() throws {
        let original = try map()
        var map = original
        for start: UInt64 in [0xc000, 0, 0x6000, 0xa000, 0x5000] {
            map = try map.inserting(TestRegions.bare(start, 0x1000))
            #expect(map.region(containing: GuestAddress(start + 0xfff))?.range.start.rawValue == start)
        }
        #expect(starts(map) == [0, 0x4000, 0x5000, 0x6000, 0x8000, 0xa000, 0xc000])
        #expect(starts(original) == [0x4000, 0x8000])
        #expect(original.region(containing: GuestAddress(0x6000)) == nil)
    }

    @Test("The maps share the regions that did not change")
    func sharing() throws {
        let original = try map()
        let inserted = try original.inserting(TestRegions.bare(0x6000, 0x1000))
        #expect(inserted.regions[0] === original.regions[0])
        #expect(inserted.regions[2] === original.regions[1])
    }

    @Test(
        "A region that overlaps others is not inserted; the lowest of them is named",
        arguments: [
            (0x4000, 0x1000, 0x4000), (0x3000, 0x2000, 0x4000), (0x4000, 0x2000, 0x4000), (0x9000, 0x1000, 0x8000),
            (0x9000, 0x3000, 0x8000), (0x7000, 0x2000, 0x8000), (0, 0x10_0000, 0x4000), (0x4000, 0x8000, 0x4000),
            (0x5000, 0x8000, 0x8000),
        ])
    func overlaps(_ start: UInt64, _ count: UInt64, _ other: UInt64) throws {
        let map = try map()
        let range = try TestRegions.range(start, count)
        let overlapped = try #require(map.rangeOfRegion(containing: GuestAddress(other)))
        #expect(throws: RegionMapError.overlap(range, overlapped)) { _ = try map.inserting(TestRegions.bare(range)) }
    }

    @Test("A region is removed by exactly its range, and given back", arguments: [0x4000, 0x8000] as [UInt64])
    func removing(_ start: UInt64) throws {
        let original = try map()
        let region = try #require(original.region(containing: GuestAddress(start)))
        let (map, removed) = try original.removing(region.range)
        #expect(removed === region)
        #expect(starts(map) == [0x4000, 0x8000].filter { $0 != start })
        #expect(map.region(containing: GuestAddress(start)) == nil)
        #expect(original.region(containing: GuestAddress(start)) === region)
    }

    @Test(
        "There is no removing by another address or size",
        arguments: [
            (0, 0x1000), (0x5000, 0x1000), (0x4000, 0x2000), (0x8000, 0x1000), (0x9000, 0x1000), (0xa000, 0x1000),
        ])
    func removingOthers(_ start: UInt64, _ count: UInt64) throws {
        let map = try map()
        let range = try TestRegions.range(start, count)
        #expect(throws: RegionMapError.noSuchRegion(range)) { _ = try map.removing(range) }
        #expect("\(RegionMapError.noSuchRegion(range))".contains("\(range)"))
    }

    @Test("The last region can be removed, and others inserted then")
    func removingLast() throws {
        let range = try TestRegions.range(0x4000, 0x1000)
        let empty = try RegionMap([TestRegions.bare(range)]).removing(range).map
        #expect(empty.regions.isEmpty && empty.region(containing: range.start) == nil)
        #expect(throws: RegionMapError.noSuchRegion(range)) { _ = try empty.removing(range) }
        #expect(throws: RegionMapError.noSuchRegion(range)) { _ = try empty.replacing(with: TestRegions.bare(range)) }
        let region = try TestRegions.bare(0, 0x1000)
        let map = try empty.inserting(region)
        #expect(map.region(containing: GuestAddress(0xfff)) === region)
    }

    @Test("A region is replaced by another of the same range alone")
    func replacing() throws {
        let original = try map()
        let region = try TestRegions.bare(0x8000, 0x2000)
        let map = try original.replacing(with: region)
        #expect(map.region(containing: GuestAddress(0x9fff)) === region)
        #expect(map.regions[0] === original.regions[0])
        #expect(original.region(containing: GuestAddress(0x9fff)) !== region)
        for (start, count): (UInt64, UInt64) in [(0x8000, 0x1000), (0x6000, 0x1000), (0x9000, 0x1000)] {
            let range = try TestRegions.range(start, count)
            #expect(throws: RegionMapError.noSuchRegion(range)) {
                _ = try map.replacing(with: TestRegions.bare(range))
            }
        }
    }

    @Test("A region lives as long as a map has it")
    func lifetime() throws {
        var original: RegionMap? = try map()
        weak let region = original?.regions[1]
        var changed: RegionMap? = try original?.inserting(TestRegions.bare(0, 0x1000))
        original = nil
        #expect(region != nil && original == nil)
        changed = nil
        #expect(region == nil && changed == nil)
    }
}
