import Testing
import VMAddressSpace
import VMRegions

@Suite("Several changes at once")
struct TransactionTests {
    private var test = TestPlanner()

    /// Each kind of change to a planner that has something of all.
    private mutating func changes() throws -> [RegionChange] {
        let ram = try test.addMapped("ram", 0..<16)
        let window = try test.addMapped("window", 4..<8, priority: 1, page: 100)
        let gone = try test.addMapped("gone", 20..<24, page: 120)
        let pages = try test.add("pages", 32..<48)
        try test.plan(
            test.mapping(pages, 0..<8, test.anonymous), test.mapping(ram, 12..<14, test.rom, writable: false))
        let new = test.planner.makeRegionID()
        return [
            .unmap(window), test.removal(pages, 2..<4),
            .add(new, name: "new", range: VMRegionsTests.pages(2..<6), priority: 3),
            test.mapping(new, 0..<2, test.anonymous, page: 2), .map(new, MapParameters(isWritable: false)),
            .move(ram, to: GuestAddress(bytes(1))), .remove(gone), .resize(pages, count: bytes(6)),
            test.mapping(ram, 0..<3, test.anonymous, page: 6), .map(pages, MapParameters()),
            .move(pages, to: GuestAddress(bytes(3))), .map(window, MapParameters(prefetch: true)), .remove(new),
            test.mapping(ram, 4..<6, test.anonymous, page: 2),
        ]
    }

    @Test("If any change cannot be made, none is", arguments: 0...14)
    mutating func failing(_ number: Int) throws {
        var changes = try changes()
        let before = PlannerState(test.planner)
        let nobody = RegionID(rawValue: 99)
        changes.insert(.unmap(nobody), at: number)
        #expect(throws: RegionError.noSuchRegion(nobody)) { try test.planner.plan(changes) }
        #expect(PlannerState(test.planner) == before)
        // Nothing is left over that would be in the way now.
        changes.remove(at: number)
        #expect(throws: Never.self) { try test.planner.plan(changes) }
    }

    @Test("A plan that is undone leaves everything as before, and can be made again", arguments: 0...14)
    mutating func undoing(_ count: Int) throws {
        let changes = try Array(changes().prefix(count))
        let before = PlannerState(test.planner)
        let plan = try test.planner.plan(changes)
        let after = PlannerState(test.planner)
        test.planner.undo(plan)
        #expect(PlannerState(test.planner) == before)
        let again = try test.planner.plan(changes)
        #expect(PlannerState(test.planner) == after)
        #expect(again.operations == plan.operations && again.removed == plan.removed && again.added == plan.added)
    }

    @Test("Plans are undone one after the other, the last first")
    mutating func undoingAll() throws {
        var states: [PlannerState] = []
        var plans: [RegionPlan] = []
        for change in try changes() {
            states.append(PlannerState(test.planner))
            plans.append(try test.planner.plan([change]))
        }
        while let plan = plans.popLast(), let state = states.popLast() {
            test.planner.undo(plan)
            #expect(PlannerState(test.planner) == state)
        }
    }

    @Test("Changes made at once lead to the view that they lead to one by one")
    mutating func atOnceOrOneByOne() throws {
        let changes = try changes()
        var other = test.planner
        for change in changes { _ = try other.plan([change]) }
        try _ = test.planner.plan(changes)
        #expect(PlannerState(test.planner) == PlannerState(other))
    }

    @Test("No changes are a plan without operations")
    mutating func empty() throws {
        let plan = try test.planner.plan([])
        #expect(plan.operations.isEmpty && plan.removed.isEmpty && plan.added.isEmpty)
    }

    @Test("A page that can be at one place alone moves to another region in one transaction")
    mutating func movingPages() throws {
        let one = try test.add("one", 0..<8)
        let other = try test.add("other", 8..<16)
        try test.plan(
            test.mapping(one, 0..<8, test.anonymous), .map(one, MapParameters()), .map(other, MapParameters()))
        #expect(
            try test.plan(test.removal(one, 2..<4), test.mapping(other, 0..<2, test.anonymous, page: 2))
                == ["unmap 2..<4", "map 8..<10 anonymous@2 rwx"])
    }
}

@Suite("Numbers of regions")
struct RegionNumberTests {
    private var test = TestPlanner()

    @Test("No number comes twice, whatever became of its region")
    mutating func neverTwice() throws {
        let removed = try test.add("removed", 0..<1)
        try test.plan(.remove(removed))
        let undone = test.planner.makeRegionID()
        test.planner.undo(try test.planner.plan([.add(undone, name: "undone", range: pages(0..<1), priority: 0)]))
        let failed = test.planner.makeRegionID()
        _ = try? test.planner.plan([
            .add(failed, name: "failed", range: pages(0..<1), priority: 0), .remove(removed),
        ])
        let numbers = [removed, undone, failed, test.planner.makeRegionID(), test.planner.makeRegionID()]
        #expect(numbers == Set(numbers).sorted())
    }

    @Test("A number that a region has, or had, is not another's")
    mutating func inUse() throws {
        let id = try test.add("ram", 0..<8)
        let change = RegionChange.add(id, name: "other", range: pages(64..<65), priority: 0)
        #expect(throws: RegionError.numberInUse(id)) { try test.planner.plan([change]) }
        try test.plan(.remove(id))
        #expect(throws: RegionError.numberInUse(id)) { try test.planner.plan([change]) }
        #expect(test.planner.regions.isEmpty)
    }

    @Test("A number is free again when the plan that used it fails or is undone")
    mutating func freeAgain() throws {
        let id = test.planner.makeRegionID()
        let change = RegionChange.add(id, name: "ram", range: pages(0..<8), priority: 0)
        #expect(throws: RegionError.numberInUse(id)) { try test.planner.plan([change, .remove(id), change]) }
        #expect(throws: RegionError.numberInUse(id)) { try test.planner.plan([change, change]) }
        test.planner.undo(try test.planner.plan([change, .remove(id)]))
        try test.plan(change)
        #expect(test.planner.region(id)?.name == "ram")
    }

    @Test("A number that is discarded is no region's, and discarding others changes nothing")
    mutating func discarded() throws {
        let taken = try test.add("ram", 0..<8)
        let (id, kept) = (test.planner.makeRegionID(), test.planner.makeRegionID())
        for discarded in [id, id, taken, RegionID(rawValue: 0), RegionID(rawValue: .max)] {
            test.planner.discard(discarded)
        }
        #expect(throws: RegionError.numberInUse(id)) {
            try test.planner.plan([.add(id, name: "discarded", range: pages(0..<8), priority: 0)])
        }
        try test.plan(.add(kept, name: "kept", range: pages(8..<9), priority: 0))
        #expect(test.planner.regions.map(\.id) == [taken, kept])
    }

    @Test("A number that the planner has not made is no region's", arguments: [0, 2, .max] as [UInt64])
    mutating func foreign(_ number: UInt64) throws {
        _ = test.planner.makeRegionID()
        let id = RegionID(rawValue: number)
        #expect(throws: RegionError.foreignNumber(id)) {
            try test.planner.plan([.add(id, name: "ram", range: pages(0..<8), priority: 0)])
        }
    }
}
