import Testing
import VMAddressSpace
import VMRegions

@Suite("Mappings of a region")
struct MappingTests {
    private var test = TestPlanner()
    private let region: RegionID

    init() throws {
        region = try test.addMapped("ram", 0..<16)
    }

    @Test(
        "A mapping takes the place of what is there, cutting it where it reaches beyond",
        arguments: [
            (4..<8, ["0..<4 ram@0 rw", "4..<8 rom@0 r-", "8..<16 ram@8 rw"]),
            (0..<3, ["0..<3 rom@0 r-", "3..<16 ram@3 rw"]),
            (12..<16, ["0..<12 ram@0 rw", "12..<16 rom@0 r-"]),
            (0..<16, ["0..<16 rom@0 r-"]),
        ] as [(Range<UInt64>, [String])])
    mutating func adding(_ pages: Range<UInt64>, _ mappings: [String]) throws {
        #expect(
            try test.plan(test.mapping(region, pages, test.rom, writable: false))
                == ["unmap \(pages)", "map \(pages) rom@0 r-x"])
        #expect(test.mappings(of: region) == mappings)
    }

    @Test(
        "Removing cuts the mappings that reach beyond",
        arguments: [
            (4..<8, ["0..<4 ram@0 rw", "8..<16 ram@8 rw"]), (0..<3, ["3..<16 ram@3 rw"]),
            (12..<16, ["0..<12 ram@0 rw"]), (0..<16, []),
        ] as [(Range<UInt64>, [String])])
    mutating func removing(_ pages: Range<UInt64>, _ mappings: [String]) throws {
        #expect(try test.plan(test.removal(region, pages)) == ["unmap \(pages)"])
        #expect(test.mappings(of: region) == mappings)
    }

    @Test("A mapping can take the place of several, whole and in part")
    mutating func overwritingSeveral() throws {
        try test.plan(test.removal(region, 3..<5), test.mapping(region, 8..<10, test.rom, writable: false))
        #expect(
            try test.plan(test.mapping(region, 2..<12, test.ram, page: 102)) == [
                "unmap 2..<3", "unmap 5..<12", "map 2..<12 ram@102 rwx",
            ])
        #expect(test.mappings(of: region) == ["0..<2 ram@0 rw", "2..<12 ram@102 rw", "12..<16 ram@12 rw"])
    }

    @Test("Removing across several mappings and holes leaves what is outside")
    mutating func removingSeveral() throws {
        try test.plan(test.removal(region, 3..<5), test.mapping(region, 8..<10, test.rom, writable: false))
        #expect(try test.plan(test.removal(region, 1..<9)) == ["unmap 1..<3", "unmap 5..<9"])
        #expect(test.mappings(of: region) == ["0..<1 ram@0 rw", "9..<10 rom@1 r-", "10..<16 ram@10 rw"])
        #expect(try test.plan(test.removal(region, 1..<9)) == [])
    }

    @Test("What goes on where a mapping ends is part of it, on both sides")
    mutating func joining() throws {
        try test.plan(test.removal(region, 4..<8))
        #expect(try test.plan(test.mapping(region, 4..<8, test.ram, page: 4)) == ["map 4..<8 ram@4 rwx"])
        #expect(test.mappings(of: region) == ["0..<16 ram@0 rw"])
        try test.plan(test.mapping(region, 4..<8, test.ram, page: 4, writable: false))
        #expect(test.mappings(of: region) == ["0..<4 ram@0 rw", "4..<8 ram@4 r-", "8..<16 ram@8 rw"])
    }

    @Test("The same mapping once more changes nothing")
    mutating func sameAgain() throws {
        let before = PlannerState(test.planner)
        let plan = try test.planner.plan([test.mapping(region, 2..<5, test.ram, page: 2)])
        #expect(plan.operations.isEmpty && plan.removed.isEmpty && plan.added.isEmpty)
        #expect(PlannerState(test.planner) == before)
    }

    @Test("A region that moves takes its memory along")
    mutating func moving() throws {
        try test.plan(test.removal(region, 4..<8))
        #expect(
            try test.plan(.move(region, to: GuestAddress(bytes(100)))) == [
                "unmap 0..<4", "unmap 8..<16", "map 100..<104 ram@0 rwx", "map 108..<116 ram@8 rwx",
            ])
        #expect(test.mappings(of: region) == ["0..<4 ram@0 rw", "8..<16 ram@8 rw"])
        #expect(try test.plan(.move(region, to: GuestAddress(bytes(100)))) == [])
    }

    @Test("A region that moves to where it still overlaps itself is unmapped and mapped once")
    mutating func movingOverItself() throws {
        #expect(
            try test.plan(.move(region, to: GuestAddress(bytes(8)))) == ["unmap 0..<16", "map 8..<24 ram@0 rwx"])
    }

    @Test("A region can move to the end of all addresses")
    mutating func movingToTheEnd() throws {
        let end = GuestAddress.frameCount
        try test.plan(.move(region, to: GuestAddress(0 &- bytes(16))))
        #expect(test.view == ["\(end - 16)..<\(end) ram ram@0 rwx"])
    }

    @Test("A shorter region loses the memory past its end, and does not get it back with its length")
    mutating func shrinking() throws {
        #expect(try test.plan(.resize(region, count: bytes(6))) == ["unmap 6..<16"])
        #expect(test.mappings(of: region) == ["0..<6 ram@0 rw"])
        #expect(try test.plan(.resize(region, count: bytes(16))) == [])
        #expect(test.view == ["0..<6 ram ram@0 rwx", "6..<16 ram"])
    }

    @Test("A region can grow and get memory without what it has being touched")
    mutating func growing() throws {
        _ = try test.addMapped("next", 16..<32, page: 100)
        #expect(try test.plan(.resize(region, count: bytes(20))) == ["unmap 16..<20"])
        #expect(
            try test.plan(.resize(region, count: bytes(24)), test.mapping(region, 16..<24, test.ram, page: 16))
                == ["unmap 20..<24", "map 16..<24 ram@16 rwx"])
        #expect(test.view == ["0..<24 ram ram@0 rwx", "24..<32 next ram@108 rwx"])
    }

    @Test("Memory past a region's new end is free for others")
    mutating func cutMemoryIsFree() throws {
        try test.plan(test.mapping(region, 0..<16, test.anonymous))
        let other = try test.add("other", 32..<48)
        try test.plan(.resize(region, count: bytes(4)), test.mapping(other, 0..<12, test.anonymous, page: 4))
        #expect(test.mappings(of: other) == ["0..<12 anonymous@4 rw"])
    }
}
