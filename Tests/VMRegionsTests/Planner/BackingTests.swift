import Testing
import VMAddressSpace
import VMRegions

@Suite("What memory comes from")
struct BackingTests {
    private var test = TestPlanner()
    private let region: RegionID

    init() throws {
        region = try test.add("pages", 0..<32)
        try test.plan(test.mapping(region, 0..<8, test.anonymous), .map(region, MapParameters()))
    }

    private mutating func refuse(_ change: RegionChange, page: UInt64, isIn other: String) {
        let before = PlannerState(test.planner)
        let error = #expect(throws: RegionError.self) { try test.planner.plan([change]) }
        let text = "the page at offset 0x\(String(bytes(page), radix: 16)) of \"anonymous\" is in region \"\(other)\""
        #expect(error.map { "\($0)".split(separator: text).count } == 2, "\(error.map { "\($0)" } ?? "no error")")
        #expect(PlannerState(test.planner) == before)
    }

    @Test("A page that can be at one place alone is not put at another of its region")
    mutating func twiceInTheRegion() {
        refuse(test.mapping(region, 8..<9, test.anonymous, page: 3), page: 3, isIn: "pages")
        refuse(test.mapping(region, 16..<32, test.anonymous), page: 0, isIn: "pages")
    }

    @Test("A page that can be at one place alone is not put into another region, mapped or not")
    mutating func twiceInRegions() throws {
        let other = try test.add("other", 64..<80)
        refuse(test.mapping(other, 0..<4, test.anonymous, page: 7), page: 7, isIn: "pages")
        try test.plan(.unmap(region))
        refuse(test.mapping(other, 0..<4, test.anonymous, page: 7), page: 7, isIn: "pages")
        try test.plan(test.mapping(other, 0..<4, test.anonymous, page: 8))
        refuse(test.mapping(region, 8..<12, test.anonymous, page: 8), page: 8, isIn: "other")
    }

    @Test("A mapping may have pages of those whose place it takes")
    mutating func takingItsOwnPlace() throws {
        // One page on: page 0 has a place no more, and page 8 gets one.
        #expect(
            try test.plan(test.mapping(region, 0..<8, test.anonymous, page: 1))
                == ["unmap 0..<8", "map 0..<8 anonymous@1 rwx"])
        #expect(try test.plan(test.mapping(region, 0..<16, test.anonymous)).count == 2)
        #expect(test.mappings(of: region) == ["0..<16 anonymous@0 rw"])
        try test.plan(test.mapping(region, 4..<8, test.anonymous, page: 4, writable: false))
        #expect(
            test.mappings(of: region) == ["0..<4 anonymous@0 rw", "4..<8 anonymous@4 r-", "8..<16 anonymous@8 rw"])
    }

    @Test("A mapping that takes the place of some of its pages but not of others is refused for the others")
    mutating func takingPartOfItsPlace() {
        // Pages 2 to 7 lose their place, pages 0 and 1 do not.
        refuse(test.mapping(region, 2..<10, test.anonymous), page: 0, isIn: "pages")
        // Pages 2 to 5 lose their place, pages 6 and 7 do not.
        refuse(test.mapping(region, 0..<6, test.anonymous, page: 2), page: 6, isIn: "pages")
    }

    @Test("Pages of a file can be at any number of places")
    mutating func shared() throws {
        let other = try test.add("other", 8..<40)
        try test.plan(
            test.mapping(region, 0..<4, test.ram), test.mapping(region, 4..<8, test.ram),
            test.mapping(other, 0..<8, test.ram),
            .map(other, MapParameters()))
        #expect(
            test.view == [
                "0..<4 pages ram@0 rwx", "4..<8 pages ram@0 rwx", "8..<32 pages", "32..<40 other",
            ])
    }

    @Test("A backing with a mapping is not removed, whether anything of it is seen or not")
    mutating func inUse() throws {
        let error = #expect(throws: RegionError.self) { try test.planner.removeBacking(test.anonymous) }
        #expect(
            error?.description
                == "the backing \"anonymous\" cannot be removed: region \"pages\" at [0x0, 0x1ffff] has a "
                + "mapping of it")
        try test.plan(.unmap(region), test.removal(region, 1..<8))
        #expect(throws: RegionError.self) { try test.planner.removeBacking(test.anonymous) }
        try test.plan(test.mapping(region, 0..<1, test.ram))
        #expect(throws: Never.self) { try test.planner.removeBacking(test.anonymous) }
        #expect(test.planner.backing(test.anonymous) == nil)
        #expect(throws: RegionError.noSuchBacking(test.anonymous)) { try test.planner.removeBacking(test.anonymous) }
        #expect(throws: RegionError.noSuchBacking(test.anonymous)) {
            try test.planner.plan([test.mapping(region, 0..<1, test.anonymous)])
        }
    }

    @Test("A backing is in use until the last of its regions is gone, and the oldest of them is named")
    mutating func users() throws {
        let other = try test.add("other", 64..<80)
        try test.plan(test.mapping(other, 0..<4, test.anonymous, page: 8))
        try test.plan(.remove(region))
        let error = #expect(throws: RegionError.self) { try test.planner.removeBacking(test.anonymous) }
        #expect(error?.description.contains("\"other\"") == true)
        try test.plan(.remove(other))
        #expect(throws: Never.self) { try test.planner.removeBacking(test.anonymous) }
    }

    @Test("Unused is what no region has a mapping of, also after plans that fail or are undone")
    mutating func unused() throws {
        #expect(Set(test.planner.unusedBackings) == [test.ram, test.rom])
        let plan = try test.planner.plan([test.mapping(region, 0..<8, test.ram)])
        #expect(Set(test.planner.unusedBackings) == [test.anonymous, test.rom])
        _ = try? test.planner.plan([test.removal(region, 0..<8), .remove(RegionID(rawValue: 99))])
        #expect(Set(test.planner.unusedBackings) == [test.anonymous, test.rom])
        test.planner.undo(plan)
        #expect(Set(test.planner.unusedBackings) == [test.ram, test.rom])
        try test.planner.removeBacking(test.rom)
        #expect(Set(test.planner.unusedBackings) == [test.ram])
        try test.plan(test.mapping(region, 8..<9, test.ram), test.removal(region, 4..<12))
        #expect(Set(test.planner.unusedBackings) == [test.ram])
    }

    @Test("No backing gets the number of one that is gone")
    mutating func numbers() throws {
        let description = BackingDescription(name: "file", byteCount: 4096)
        let first = test.planner.addBacking(description)
        try test.planner.removeBacking(first)
        #expect(test.planner.addBacking(description) > first)
    }
}
