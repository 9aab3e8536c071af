import Testing
import VMAddressSpace
import VMRegions

@Suite("What a planner refuses")
struct BadInputTests {
    private var test = TestPlanner()
    private let region: RegionID
    private let name = "region \"ram\" at [0x10000, 0x1ffff]"

    init() throws {
        region = try test.addMapped("ram", 16..<32)
    }

    /// - Parameter text: how the error's text begins.
    private mutating func refuse(_ change: RegionChange, _ text: String) {
        let before = PlannerState(test.planner)
        let error = #expect(throws: RegionError.self) { try test.planner.plan([change]) }
        #expect(error?.description.hasPrefix(text) == true, "\(error.map { "\($0)" } ?? "no error")")
        #expect(PlannerState(test.planner) == before)
    }

    @Test("Changes of a region that is not there")
    mutating func unknownRegion() throws {
        let id = try test.add("gone", 0..<1)
        try test.plan(.remove(id))
        for change in [
            .remove(id), .map(id, MapParameters()), .unmap(id), test.mapping(id, 0..<1, test.ram),
            test.removal(id, 0..<1),
            .move(id, to: GuestAddress(0)), .resize(id, count: 4096),
        ] as [RegionChange] {
            refuse(change, "there is no region \(id)")
        }
    }

    @Test("A mapping of a backing that is not there")
    mutating func unknownBacking() {
        refuse(test.mapping(region, 0..<1, BackingID(rawValue: 99)), "there is no backing 99")
    }

    @Test("Mappings, and ranges of them, that are empty or not whole pages")
    mutating func misaligned() {
        let numbers = [(0, 0), (4096, 0), (0, 1), (1, 4096), (0, 4097), (.max, 1), (4095, .max)] as [(UInt64, UInt64)]
        for (offset, count) in numbers {
            let text = "\(name): \(count) bytes at offset 0x\(String(offset, radix: 16)) are not whole pages of"
            refuse(.removeMappings(region, offset: offset, count: count), text)
            refuse(.addMapping(region, RegionMapping(offset: offset, count: count, backing: test.ram)), text)
        }
        refuse(
            .addMapping(region, RegionMapping(count: 4096, backing: test.ram, backingOffset: 2048)),
            "\(name): 4096 bytes at offset 0x800 are not whole pages of")
    }

    @Test("Mappings, and ranges of them, that end after their region")
    mutating func outsideRegion() {
        let top = 0 &- bytes(1)
        for (offset, count) in [
            (bytes(16), bytes(1)), (0, bytes(17)), (bytes(15), bytes(2)), (top, top), (bytes(1), top),
        ] {
            let text = "\(name): \(count) bytes at offset 0x\(String(offset, radix: 16)) end after the region"
            refuse(.removeMappings(region, offset: offset, count: count), text)
            refuse(.addMapping(region, RegionMapping(offset: offset, count: count, backing: test.ram)), text)
        }
    }

    @Test("Mappings that end after their backing")
    mutating func beyondBacking() {
        for (page, count) in [(256, 1), (250, 7), (1 << 52 - 1, 1), (1 << 52 - 2, 4)] as [(UInt64, UInt64)] {
            refuse(
                test.mapping(region, 0..<count, test.ram, page: page),
                "\(name): \(bytes(count)) bytes at offset 0x\(String(bytes(page), radix: 16)) of \"ram\" end after its "
                    + "1048576 bytes")
        }
    }

    @Test("The last, partial page of a backing")
    mutating func partialPage() throws {
        let odd = test.planner.addBacking(BackingDescription(name: "odd", byteCount: 2 * 4096 + 100))
        refuse(
            test.mapping(region, 0..<3, odd), "\(name): 12288 bytes at offset 0x0 of \"odd\" end after its 8292 bytes")
        try test.plan(test.mapping(region, 0..<2, odd))
        let empty = test.planner.addBacking(BackingDescription(name: "empty", byteCount: 0))
        refuse(
            test.mapping(region, 0..<1, empty), "\(name): 4096 bytes at offset 0x0 of \"empty\" end after its 0 bytes")
    }

    @Test("A backing of all numbers can be mapped up to its last page")
    mutating func largestBacking() throws {
        let all = test.planner.addBacking(BackingDescription(name: "all", byteCount: .max))
        let last: UInt64 = 1 << 52 - 2
        #expect(
            try test.plan(test.mapping(region, 0..<1, all, page: last))
                == ["unmap 16..<17", "map 16..<17 all@\(last) rwx"])
        refuse(test.mapping(region, 0..<1, all, page: last + 1), "\(name): 4096 bytes at offset 0xfffffffffffff000")
    }

    @Test("A read-only backing mapped writable, even in a region that is not")
    mutating func readOnlyBacking() throws {
        let text = "\(name): \"rom\" is read-only and cannot be mapped writable"
        refuse(test.mapping(region, 0..<1, test.rom), text)
        try test.plan(.map(region, MapParameters(isWritable: false)))
        refuse(test.mapping(region, 0..<1, test.rom), text)
        try test.plan(test.mapping(region, 0..<1, test.rom, writable: false))
    }

    @Test("Places that are no range of pages")
    mutating func badRanges() {
        refuse(.move(region, to: GuestAddress(0x1001)), "region \"ram\": a memory range starts at 0x1001, which is not")
        refuse(.move(region, to: GuestAddress(.max)), "region \"ram\": a memory range starts at 0xffffffffffffffff")
        refuse(
            .move(region, to: GuestAddress(0 &- bytes(15))),
            "region \"ram\": a memory range of 65536 bytes at 0xffffffffffff1000 passes the last address")
        refuse(.resize(region, count: 0), "region \"ram\": a memory range at 0x10000 has no bytes")
        refuse(.resize(region, count: 100), "region \"ram\": a memory range at 0x10000 is 100 bytes long")
        refuse(.resize(region, count: .max), "region \"ram\": a memory range at 0x10000 is 18446744073709551615 bytes")
        refuse(.resize(region, count: 0 &- bytes(1)), "region \"ram\": a memory range of 18446744073709547520 bytes")
    }

    @Test("Regions above what the guest can address", arguments: [12, 13, 36, 52, 63])
    func addressWidth(_ width: Int) throws {
        var test = TestPlanner(addressWidth: width)
        let end: UInt64 = 1 << UInt64(width - 12)
        let id = try test.addMapped("top", (end - 1)..<end, page: 0)
        let before = PlannerState(test.planner)
        let changes: [(RegionChange, Range<UInt64>)] = [
            (
                .add(test.planner.makeRegionID(), name: "top", range: pages(end..<(end + 1)), priority: 0),
                end..<(end + 1)
            ),
            (
                .add(test.planner.makeRegionID(), name: "top", range: .whole, priority: 0),
                0..<GuestAddress.frameCount
            ),
            (.move(id, to: GuestAddress(bytes(end))), end..<(end + 1)),
            (.resize(id, count: bytes(2)), (end - 1)..<(end + 1)),
        ]
        for (change, frames) in changes {
            let error = #expect(throws: RegionError.self) { try test.planner.plan([change]) }
            #expect(
                error?.description
                    == "region \"top\" at \(pages(frames)) ends above the \(width) bits that guest-physical addresses have"
            )
            #expect(PlannerState(test.planner) == before)
        }
    }

    @Test("An address width of 64 bits leaves out nothing", arguments: [64, 65, .max])
    func allBits(_ width: Int) throws {
        var test = TestPlanner(addressWidth: width)
        #expect(test.planner.addressWidth == 64)
        let id = try test.add("all", 0..<GuestAddress.frameCount)
        #expect(try test.plan(.map(id, MapParameters())) == [])
        #expect(test.view == ["0..<\(GuestAddress.frameCount) all"])
    }

    @Test("An address width below a page's is a page's", arguments: [.min, 0, 11])
    func noBits(_ width: Int) throws {
        var test = TestPlanner(addressWidth: width)
        #expect(test.planner.addressWidth == 12)
        _ = try test.addMapped("page", 0..<1)
        #expect(test.view == ["0..<1 page ram@0 rwx"])
    }
}
