import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("Changing several regions of a memory map at once")
struct RegionMapBatchTests {
    private func regions(_ starts: UInt64...) throws -> [any GuestMemoryRegion] {
        try starts.map { try TestRegions.bare($0, 0x1000) }
    }

    private func ranges(_ starts: UInt64...) throws -> [MemoryRange] {
        try starts.map { try TestRegions.range($0, 0x1000) }
    }

    private func starts(_ map: RegionMap) -> [UInt64] { map.regions.map(\.range.start.rawValue) }

    @Test("What is removed makes room for what is inserted, and the map that was changed stays as it was")
    func changing() throws {
        let original = try RegionMap(regions(0, 0x1000, 0x4000, 0x8000))
        let added = try [TestRegions.bare(0x1000, 0x3000), TestRegions.bare(0x9000, 0x1000)]
        let map = try original.changing(removing: ranges(0x1000, 0x8000), inserting: added)
        #expect(starts(map) == [0, 0x1000, 0x4000, 0x9000])
        #expect(map.region(containing: GuestAddress(0x3fff)) === added[0])
        #expect(map.region(containing: GuestAddress(0x8000)) == nil)
        #expect(map.regions[0] === original.regions[0] && map.regions[2] === original.regions[2])
        #expect(starts(original) == [0, 0x1000, 0x4000, 0x8000])
        #expect(original.rangeOfRegion(containing: GuestAddress(0x8000))?.start.rawValue == 0x8000)
    }

    @Test("A change of nothing is a map with the same regions")
    func nothing() throws {
        let original = try RegionMap(regions(0x1000, 0x3000))
        let map = try original.changing(removing: [], inserting: [])
        #expect(map.regions.map(ObjectIdentifier.init) == original.regions.map(ObjectIdentifier.init))
        #expect(try RegionMap().changing(removing: [], inserting: []).regions.isEmpty)
    }

    @Test("All regions can be removed, and an empty map be filled")
    func fromAndToEmpty() throws {
        let all = try (0..<100 as Range<UInt64>).map { try TestRegions.bare($0 << 13, 0x1000) }
        let map = try RegionMap().changing(removing: [], inserting: all)
        #expect(map.regions.map(ObjectIdentifier.init) == all.map(ObjectIdentifier.init))
        let empty = try map.changing(removing: all.map(\.range), inserting: [])
        #expect(empty.regions.isEmpty && empty.region(containing: GuestAddress(0)) == nil)
        let moved = try map.changing(removing: all.map(\.range), inserting: [TestRegions.bare(0, 0x100_0000)])
        #expect(starts(moved) == [0] && moved.byteCount == 0x100_0000)
    }

    @Test("A region may be put where one of the same range is removed, and at both ends of the address space")
    func replacing() throws {
        let (first, last) = try (TestRegions.range(0, 0x1000), TestRegions.range(.max - 0xfff, 0x1000))
        let original = try RegionMap([TestRegions.bare(first), TestRegions.bare(last)])
        let added = try [TestRegions.bare(first), TestRegions.bare(last)]
        let map = try original.changing(removing: [first, last], inserting: added)
        #expect(map.regions.map(ObjectIdentifier.init) == added.map(ObjectIdentifier.init))
        #expect(map.region(containing: GuestAddress(.max)) === added[1])
    }

    @Test("A region to remove must be in the map with exactly its range")
    func noSuchRegion() throws {
        let map = try RegionMap(regions(0x1000, 0x3000))
        for missing in try [ranges(0x1000, 0x2000), ranges(0, 0x1000), [TestRegions.range(0x3000, 0x2000)]] {
            let wrong = try #require(missing.first { range in !map.ranges.contains(range) })
            #expect(throws: RegionMapError.noSuchRegion(wrong)) {
                _ = try map.changing(removing: missing, inserting: [])
            }
        }
    }

    @Test("A region that stays is not overlapped; the lowest is named")
    func overlap() throws {
        let map = try RegionMap(regions(0x1000, 0x2000, 0x3000, 0x6000))
        let range = try TestRegions.range(0x1000, 0x8000)
        for (removed, overlapped) in [
            ([], 0x1000), ([0x1000], 0x2000), ([0x1000, 0x2000], 0x3000), ([0x2000], 0x1000),
        ]
            as [([UInt64], UInt64)]
        {
            let removed = try removed.map { try TestRegions.range($0, 0x1000) }
            #expect(throws: RegionMapError.overlap(range, try TestRegions.range(overlapped, 0x1000))) {
                _ = try map.changing(removing: removed, inserting: [TestRegions.bare(range)])
            }
        }
        let all = map.ranges
        #expect(try starts(map.changing(removing: all, inserting: [TestRegions.bare(range)])) == [0x1000])
    }

    @Test("Both lists are in ascending order and without overlaps")
    func order() throws {
        let map = try RegionMap(regions(0x1000, 0x2000))
        let (low, high) = try (TestRegions.range(0x1000, 0x1000), TestRegions.range(0x2000, 0x1000))
        #expect(throws: RegionMapError.unsorted(low, after: high)) {
            _ = try map.changing(removing: [high, low], inserting: [])
        }
        #expect(throws: RegionMapError.overlap(low, low)) {
            _ = try map.changing(removing: [low, low], inserting: [])
        }
        #expect(throws: RegionMapError.unsorted(low, after: high)) {
            _ = try map.changing(removing: [low, high], inserting: regions(0x2000, 0x1000))
        }
        #expect(throws: RegionMapError.overlap(low, low)) {
            _ = try map.changing(removing: [low, high], inserting: regions(0x1000, 0x1000))
        }
        #expect(starts(map) == [0x1000, 0x2000])
    }

    @Test("Regions live as long as one of the maps has them")
    func lifetime() throws {
        var original: RegionMap? = try RegionMap(regions(0x1000, 0x2000))
        weak let (removed, kept) = (original?.regions[0], original?.regions[1])
        var changed = try original?.changing(removing: ranges(0x1000), inserting: regions(0x5000))
        weak let added = changed?.regions[1]
        #expect(removed != nil && kept != nil && added != nil)
        original = nil
        #expect(removed == nil && kept != nil && original == nil)
        changed = nil
        #expect(kept == nil && added == nil && changed == nil)
    }
}
