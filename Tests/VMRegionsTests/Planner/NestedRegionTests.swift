import Testing
import VMAddressSpace
import VMRegions

@Suite("Nested regions")
struct NestedRegionTests {
    private var test = TestPlanner(.nested)

    private mutating func refuse(
        _ name: String, _ frames: Range<UInt64>, priority: UInt8, because existing: String
    ) throws {
        let before = PlannerState(test.planner)
        let id = test.planner.makeRegionID()
        let error = #expect(throws: RegionError.self) {
            try test.planner.plan([.add(id, name: name, range: pages(frames), priority: priority)])
        }
        let new = "region \"\(name)\" at \(pages(frames))"
        let rule = "with nested regions the one with the higher priority must contain the other, "
        #expect(error?.description.hasPrefix("\(new) overlaps \(existing); \(rule)") == true)
        #expect(PlannerState(test.planner) == before)
    }

    @Test("What may overlap what, as regions come and go")
    mutating func script() throws {
        let high = try test.addMapped("high", 1..<3, priority: 1)
        try refuse("across", 2..<4, priority: 0, because: "region \"high\" at [0x1000, 0x2fff]")
        let low = try test.addMapped("low", 1..<3, priority: 0)
        try test.plan(.remove(high))
        try refuse("across", 2..<4, priority: 1, because: "region \"low\" at [0x1000, 0x2fff]")
        try refuse("within", 2..<3, priority: 1, because: "region \"low\" at [0x1000, 0x2fff]")
        _ = try test.addMapped("over all", 0..<16, priority: 1)
        try test.plan(.remove(low))
        try refuse("around", 0..<32, priority: 0, because: "region \"over all\" at [0x0, 0xffff]")
        _ = try test.addMapped("beneath", 1..<8, priority: 0)
        #expect(test.view == ["0..<16 over all ram@0 rwx"])
    }

    @Test("Regions with equal priorities have the same range, or share nothing")
    mutating func equalPriorities() throws {
        _ = try test.addMapped("first", 4..<8)
        _ = try test.addMapped("second", 4..<8, page: 100)
        _ = try test.addMapped("beside", 8..<9)
        for frames in [4..<7, 5..<8, 5..<7, 3..<8, 4..<10, 0..<20] as [Range<UInt64>] {
            try refuse("third", frames, priority: 0, because: "region \"first\" at [0x4000, 0x7fff]")
        }
    }

    @Test("A region that is not mapped forbids what it would forbid if it were")
    mutating func unmapped() throws {
        _ = try test.add("hidden", 4..<8, priority: 3)
        try refuse("across", 6..<10, priority: 1, because: "region \"hidden\" at [0x4000, 0x7fff]")
    }

    @Test("A region does not move or grow to where it could not have been added, and may overlap its own old place")
    mutating func movesAndSizes() throws {
        let low = try test.addMapped("low", 0..<4)
        let high = try test.addMapped("high", 8..<16, priority: 1)
        let before = PlannerState(test.planner)
        for change in [.move(low, to: GuestAddress(0x6000)), .resize(low, count: bytes(9))] as [RegionChange] {
            #expect(throws: RegionError.self) { try test.planner.plan([change]) }
            #expect(PlannerState(test.planner) == before)
        }
        #expect(try test.plan(.move(low, to: GuestAddress(0x2000))) == ["unmap 0..<4", "map 2..<6 ram@0 rwx"])
        #expect(try test.plan(.move(low, to: GuestAddress(0xa000))) == ["unmap 2..<6"])
        #expect(throws: RegionError.self) { try test.planner.plan([.resize(high, count: bytes(5))]) }
        try test.plan(.resize(high, count: bytes(6)))
        #expect(test.view == ["8..<14 high ram@8 rwx"])
    }
}
