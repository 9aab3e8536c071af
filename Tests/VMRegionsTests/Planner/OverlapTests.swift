import Testing
import VMAddressSpace
import VMRegions

@Suite("Regions that overlap")
struct OverlapTests {
    private var test = TestPlanner()

    @Test("Nothing is seen of a region that is not mapped", arguments: OverlapPolicy.allCases)
    func unmapped(_ policy: OverlapPolicy) throws {
        var test = TestPlanner(policy)
        let id = try test.add("ram", 0..<8)
        #expect(try test.plan(test.mapping(id, 0..<8, test.ram)) == [])
        #expect(test.view == [])
        #expect(try test.plan(.map(id, MapParameters())) == ["map 0..<8 ram@0 rwx"])
        #expect(try test.plan(.unmap(id)) == ["unmap 0..<8"])
        #expect(try test.plan(.unmap(id), .remove(id)) == [])
    }

    @Test("The highest priority is seen, and what it hides comes back when it is unmapped or removed")
    mutating func priorities() throws {
        _ = try test.addMapped("ram", 0..<16)
        let rom = try test.addMapped("rom", 4..<8, priority: 2, page: 100)
        _ = try test.addMapped("between", 2..<10, priority: 1, page: 200)
        #expect(
            test.view == [
                "0..<2 ram ram@0 rwx", "2..<4 between ram@200 rwx", "4..<8 rom ram@100 rwx",
                "8..<10 between ram@206 rwx", "10..<16 ram ram@10 rwx",
            ])
        #expect(try test.plan(.unmap(rom)) == ["unmap 4..<8", "map 4..<8 ram@202 rwx"])
        #expect(try test.plan(.map(rom, MapParameters())) == ["unmap 4..<8", "map 4..<8 ram@100 rwx"])
        #expect(try test.plan(.remove(rom)) == ["unmap 4..<8", "map 4..<8 ram@202 rwx"])
    }

    @Test("Of equal priorities the oldest is seen, whatever was mapped first")
    mutating func ages() throws {
        let old = try test.add("old", 0..<8)
        let new = try test.addMapped("new", 4..<12, page: 100)
        #expect(
            try test.plan(test.mapping(old, 0..<8, test.ram), .map(old, MapParameters()))
                == ["unmap 4..<8", "map 0..<8 ram@0 rwx"])
        #expect(try test.plan(.unmap(new), .map(new, MapParameters())) == [])
        #expect(test.view == ["0..<8 old ram@0 rwx", "8..<12 new ram@104 rwx"])
        #expect(try test.plan(.remove(old)) == ["unmap 0..<8", "map 4..<8 ram@100 rwx"])
    }

    @Test("A region is as old as its number, whichever is added first")
    mutating func ageIsTheNumber() throws {
        let (older, newer) = (test.planner.makeRegionID(), test.planner.makeRegionID())
        try test.plan(
            .add(newer, name: "newer", range: pages(0..<4), priority: 0), .map(newer, MapParameters()),
            .add(older, name: "older", range: pages(2..<6), priority: 0), .map(older, MapParameters()))
        #expect(test.view == ["0..<2 newer", "2..<6 older"])
    }

    @Test("Where a region has no memory, it hides what lies beneath")
    mutating func holes() throws {
        _ = try test.addMapped("ram", 0..<16)
        let device = try test.add("device", 4..<10, priority: 1)
        #expect(try test.plan(.map(device, MapParameters())) == ["unmap 4..<10"])
        #expect(try test.plan(test.mapping(device, 2..<3, test.ram, page: 50)) == ["map 6..<7 ram@50 rwx"])
        let view = [
            "0..<4 ram ram@0 rwx", "4..<6 device", "6..<7 device ram@50 rwx", "7..<10 device", "10..<16 ram ram@10 rwx",
        ]
        #expect(test.view == view)
        #expect(try test.plan(.unmap(device)) == ["unmap 6..<7", "map 4..<10 ram@4 rwx"])
        #expect(test.view == ["0..<16 ram ram@0 rwx"])
        #expect(try test.plan(.map(device, MapParameters())) == ["unmap 4..<10", "map 6..<7 ram@50 rwx"])
        #expect(test.view == view)
    }

    @Test(
        "The guest may write where region and mapping both allow it",
        arguments: [(true, true), (true, false), (false, true), (false, false)])
    func writable(_ region: Bool, _ mapping: Bool) throws {
        let parameters = MapParameters(isWritable: region, isExecutable: false)
        let expected = region && mapping ? ["map 0..<4 ram@0 rw-"] : ["map 0..<4 ram@0 r--"]
        // A mapping can come before or after its region is mapped, or with it.
        var test = TestPlanner()
        let first = try test.add("first", 0..<4)
        try test.plan(test.mapping(first, 0..<4, test.ram, writable: mapping))
        #expect(try test.plan(.map(first, parameters)) == expected)
        try test.plan(.remove(first))
        let second = try test.add("second", 0..<4)
        try test.plan(.map(second, parameters))
        #expect(try test.plan(test.mapping(second, 0..<4, test.ram, writable: mapping)) == expected)
        try test.plan(.remove(second))
        let third = try test.add("third", 0..<4)
        #expect(
            try test.plan(.map(third, parameters), test.mapping(third, 0..<4, test.ram, writable: mapping)) == expected)
    }

    @Test("What is changed under a region that hides it makes no operations, and is seen when that is gone")
    mutating func changesBeneath() throws {
        let ram = try test.addMapped("ram", 0..<8)
        let lid = try test.addMapped("lid", 0..<8, priority: 9, page: 100)
        #expect(try test.plan(test.mapping(ram, 2..<4, test.rom, writable: false)) == [])
        #expect(try test.plan(test.removal(ram, 6..<8)) == [])
        #expect(try test.plan(.map(ram, MapParameters(isExecutable: false))) == [])
        #expect(
            try test.plan(.remove(lid)) == [
                "unmap 0..<8", "map 0..<2 ram@0 rw-", "map 2..<4 rom@0 r--", "map 4..<6 ram@4 rw-",
            ])
    }

    @Test("Regions can fill all addresses, and overlap at both ends")
    mutating func allAddresses() throws {
        let all = try test.add("all", 0..<(1 << 52))
        let end = GuestAddress.frameCount
        try test.plan(.map(all, MapParameters()))
        _ = try test.addMapped("first", 0..<1, priority: 1, page: 0)
        let last = try test.addMapped("last", (end - 1)..<end, priority: 1, page: 1)
        #expect(
            test.view == ["0..<1 first ram@0 rwx", "1..<\(end - 1) all", "\(end - 1)..<\(end) last ram@1 rwx"])
        try test.plan(
            test.mapping(all, 0..<1, test.ram, page: 7), test.mapping(all, (end - 1)..<end, test.ram, page: 8))
        try test.plan(test.mapping(all, 5..<6, test.ram, page: 9))
        #expect(
            try test.plan(.remove(last))
                == ["unmap \(end - 1)..<\(end)", "map \(end - 1)..<\(end) ram@8 rwx"])
        try test.plan(test.removal(all, 1..<end))
        #expect(test.view == ["0..<1 first ram@0 rwx", "1..<\(end) all"])
    }
}
