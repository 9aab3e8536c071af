import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("A memory map")
struct RegionMapTests {
    private func ranges(_ pairs: [(UInt64, UInt64)]) throws -> [MemoryRange] {
        try pairs.map { try TestRegions.range($0.0, $0.1) }
    }

    private func map(_ pairs: (UInt64, UInt64)...) throws -> RegionMap {
        try RegionMap(ranges(pairs).map(TestRegions.bare))
    }

    @Test("In a map without regions nothing is found, whatever is asked")
    func empty() throws {
        for map in [RegionMap(), try RegionMap([])] {
            #expect(map.regions.isEmpty && map.ranges.isEmpty && map.byteCount == 0)
            for address: UInt64 in [0, 1, 0xfff, 0x1000, 1 << 63, .max - 0xfff, .max - 1, .max] {
                #expect(map.region(containing: GuestAddress(address)) == nil)
                #expect(map.rangeOfRegion(containing: GuestAddress(address)) == nil)
                #expect(map.index(of: address) == nil)
                #expect(map.table.firstGap(address, .max) == address)
                for size: UInt64 in [1, 2, 4, 8, 4096] {
                    for isWrite in [false, true] {
                        #expect(map.table.plain(address, size, isWrite: isWrite) == nil)
                        #expect(map.table.direct(address, size, isWrite: isWrite) == nil)
                    }
                }
            }
            let all = AddressRange(MemoryRange.whole)
            #expect(map.forEachPart(of: all) { _, _ in Issue.record() } == GuestAddress(0))
        }
    }

    @Test("Every access to a guest without memory fails, and says where")
    func accessToNothing() throws {
        let memory = GuestMemory(GuestMemoryAtomic(RegionMap()))
        for address: UInt64 in [0, 0x1000, .max - 7] {
            let address = GuestAddress(address)
            func isMissing(_ body: () throws -> Void) -> Bool {
                do { try body() } catch {
                    guard let error = error as? GuestMemoryError else { return false }
                    return error.kind == .notMapped && error.failing == address && error.completed == 0
                }
                return false
            }
            #expect(isMissing { _ = try memory.load(address, as: UInt64.self) })
            #expect(isMissing { try memory.store(UInt8(1), at: address) })
            #expect(isMissing { try memory.write([1, 2, 3], at: address) })
            #expect(isMissing { try memory.fill(address, count: 8, with: 0) })
            #expect(isMissing { _ = try memory.lock(address, count: 8, for: .writing) })
            #expect(!memory.contains(address, count: 1))
        }
        try memory.map.update { map throws(RegionMapError) in
            do { return try map.inserting(TestRegions.ram(0, 0x1000)) } catch { throw .noSuchRegion(.whole) }
        }
        try memory.write([1, 2, 3], at: GuestAddress(0))
    }

    @Test(
        "Regions that overlap are refused, both named",
        arguments: [(0x1000, 0x2000), (0x2000, 0x1000), (0x1000, 0x1000)])
    func overlap(_ start: UInt64, _ count: UInt64) throws {
        let (lower, upper) = try (TestRegions.range(0x1000, 0x2000), TestRegions.range(start, count))
        #expect(throws: RegionMapError.overlap(lower, upper)) { try map((0x1000, 0x2000), (start, count)) }
        #expect("\(RegionMapError.overlap(lower, upper))".contains("\(lower) and \(upper)"))
    }

    @Test("Regions that overlap are refused wherever they stand in the list")
    func laterOverlap() throws {
        let (lower, upper) = try (TestRegions.range(0x8000, 0x2000), TestRegions.range(0x9000, 0x1000))
        #expect(throws: RegionMapError.overlap(lower, upper)) {
            try map((0, 0x1000), (0x4000, 0x1000), (0x8000, 0x2000), (0x9000, 0x1000), (0xc000, 0x1000))
        }
    }

    @Test("Regions that are not in ascending order are refused, both named")
    func unsorted() throws {
        let (upper, lower) = try (TestRegions.range(0x8000, 0x1000), TestRegions.range(0x4000, 0x1000))
        #expect(throws: RegionMapError.unsorted(lower, after: upper)) {
            try map((0, 0x1000), (0x8000, 0x1000), (0x4000, 0x1000))
        }
        // Also where the first and the last are the ones that overlap.
        #expect(throws: RegionMapError.self) { try map((0, 0x1000), (0x8000, 0x1000), (0, 0x1000)) }
    }

    @Test("Regions may touch one another")
    func adjacent() throws {
        let map = try map((0x1000, 0x1000), (0x2000, 0x2000), (0x4000, 0x1000))
        #expect(map.rangeOfRegion(containing: GuestAddress(0x1fff))?.start.rawValue == 0x1000)
        #expect(map.rangeOfRegion(containing: GuestAddress(0x2000))?.start.rawValue == 0x2000)
        #expect(map.rangeOfRegion(containing: GuestAddress(0x4fff))?.start.rawValue == 0x4000)
        #expect(map.rangeOfRegion(containing: GuestAddress(0x5000)) == nil)
    }

    @Test("There is no region below, between and above the regions")
    func holes() throws {
        let map = try map((0x2000, 0x1000), (0x8000, 0x1000))
        for address: UInt64 in [0, 0x1fff, 0x3000, 0x5000, 0x7fff, 0x9000, .max] {
            #expect(map.region(containing: GuestAddress(address)) == nil)
            #expect(map.rangeOfRegion(containing: GuestAddress(address)) == nil)
            #expect(map.table.firstGap(address, address) == address)
        }
        for address: UInt64 in [0x2000, 0x2fff, 0x8000, 0x8fff] {
            #expect(map.region(containing: GuestAddress(address))?.range.contains(GuestAddress(address)) == true)
        }
    }

    @Test("Regions may start at address 0 and end at 2^64")
    func ends() throws {
        let map = try map((0, 0x1000), (.max - 0xfff, 0x1000))
        #expect(map.region(containing: GuestAddress(0))?.range.start.rawValue == 0)
        #expect(map.region(containing: GuestAddress(.max))?.range.last.rawValue == .max)
        #expect(map.region(containing: GuestAddress(.max - 0x1000)) == nil)
        #expect(map.table.firstGap(.max - 0xfff, .max) == nil)
        #expect(map.table.firstGap(0, .max) == 0x1000)
        let top = try #require(AddressRange(from: GuestAddress(.max - 0x7ff), through: GuestAddress(.max)))
        var parts: [AddressRange] = []
        #expect(map.forEachPart(of: top) { parts.append($1) } == nil)
        #expect(parts == [top])
    }

    @Test("A range is taken apart by regions, up to the first gap")
    func parts() throws {
        let map = try map((0x1000, 0x1000), (0x2000, 0x1000), (0x4000, 0x1000))
        var parts: [AddressRange] = []
        func take(_ first: UInt64, _ last: UInt64) throws -> GuestAddress? {
            parts = []
            let range = try #require(AddressRange(from: GuestAddress(first), through: GuestAddress(last)))
            return map.forEachPart(of: range) { region, part in
                #expect(region.range.contains(part))
                parts.append(part)
            }
        }
        #expect(try take(0x1ffe, 0x2001) == nil)
        #expect(parts.map(\.count) == [2, 2])
        #expect(try take(0x2ff0, 0x4010) == GuestAddress(0x3000))
        #expect(parts.map(\.count) == [0x10])
        #expect(try take(0x0fff, 0x1001) == GuestAddress(0xfff))
        #expect(parts.isEmpty)
    }

    @Test("What the body throws ends taking a range apart")
    func throwingBody() throws {
        struct Stop: Error {}
        let map = try map((0x1000, 0x1000), (0x2000, 0x1000))
        let range = try #require(AddressRange(from: GuestAddress(0x1000), through: GuestAddress(0x2fff)))
        var calls = 0
        #expect(throws: Stop.self) {
            try map.forEachPart(of: range) { (_, _) throws(Stop) in
                calls += 1
                throw Stop()
            }
        }
        #expect(calls == 1)
    }
}
