import Testing
import VMAddressSpace
import VMRegions

@Suite("No operation more than is needed")
struct MinimalOperationTests {
    private var test = TestPlanner()

    @Test("What two regions show next to each other is unmapped at once, and mapped at once where the memory goes on")
    mutating func merging() throws {
        let lid = try test.add("lid", 0..<16, priority: 1)
        _ = try test.addMapped("one", 0..<4)
        _ = try test.addMapped("two", 4..<8)
        _ = try test.addMapped("three", 8..<12, page: 100)
        #expect(try test.plan(.map(lid, MapParameters())) == ["unmap 0..<12"])
        #expect(try test.plan(.unmap(lid)) == ["map 0..<8 ram@0 rwx", "map 8..<12 ram@100 rwx"])
    }

    @Test("Memory that the guest sees in another way is another operation")
    mutating func otherAccess() throws {
        let lid = try test.add("lid", 0..<16, priority: 1)
        _ = try test.addMapped("one", 0..<4)
        _ = try test.addMapped("two", 4..<8, MapParameters(isWritable: false))
        _ = try test.addMapped("three", 8..<12, MapParameters(isWritable: false, prefetch: true))
        try test.plan(.map(lid, MapParameters()))
        #expect(
            try test.plan(.unmap(lid)) == [
                "map 0..<4 ram@0 rwx", "map 4..<8 ram@4 r-x", "map 8..<12 ram@8 r-x prefetch",
            ])
    }

    @Test("Whether pages are provided at once changes nothing that is mapped")
    mutating func prefetch() throws {
        let id = try test.addMapped("ram", 0..<8)
        let plan = try test.planner.plan([.map(id, MapParameters(prefetch: true))])
        #expect(plan.operations.isEmpty)
        #expect(test.view == ["0..<8 ram ram@0 rwx prefetch"])
    }

    @Test("Memory that goes from one region to another, at the same place, makes no operations")
    mutating func handingOver() throws {
        let old = try test.addMapped("old", 0..<8)
        let new = test.planner.makeRegionID()
        #expect(
            try test.plan(
                .add(new, name: "new", range: pages(0..<12), priority: 0),
                test.mapping(new, 0..<8, test.ram), .map(new, MapParameters()), .remove(old)) == [])
        #expect(test.view == ["0..<8 new ram@0 rwx", "8..<12 new"])
    }

    @Test("A region can be cut in two without an operation")
    mutating func cutting() throws {
        let whole = try test.addMapped("whole", 0..<16)
        let upper = test.planner.makeRegionID()
        #expect(
            try test.plan(
                .resize(whole, count: bytes(6)), .add(upper, name: "upper", range: pages(6..<16), priority: 0),
                test.mapping(upper, 0..<10, test.ram, page: 6), .map(upper, MapParameters())) == [])
        #expect(test.view == ["0..<6 whole ram@0 rwx", "6..<16 upper ram@6 rwx"])
    }

    @Test("What lies beneath and is the same memory makes no operations")
    mutating func sameBeneath() throws {
        _ = try test.addMapped("ram", 0..<16)
        let window = try test.add("window", 4..<8, priority: 1)
        #expect(
            try test.plan(test.mapping(window, 0..<4, test.ram, page: 4), .map(window, MapParameters())) == [])
        #expect(
            try test.plan(.map(window, MapParameters(isWritable: false))) == ["unmap 4..<8", "map 4..<8 ram@4 r-x"])
        #expect(try test.plan(.remove(window)) == ["unmap 4..<8", "map 4..<8 ram@4 rwx"])
        #expect(test.view == ["0..<16 ram ram@0 rwx"])
    }

    @Test("Only what changes of a region that changes is touched")
    mutating func partsThatStay() throws {
        let id = try test.addMapped("ram", 0..<16)
        #expect(
            try test.plan(
                test.mapping(id, 2..<14, test.ram, page: 2), test.mapping(id, 5..<6, test.rom, writable: false))
                == ["unmap 5..<6", "map 5..<6 rom@0 r-x"])
        #expect(
            try test.plan(test.mapping(id, 0..<16, test.ram)) == ["unmap 5..<6", "map 5..<6 ram@5 rwx"])
    }

    @Test("A change that is taken back in the same transaction makes no operations")
    mutating func backAndForth() throws {
        let id = try test.addMapped("ram", 0..<8)
        let plan = try test.planner.plan([
            .unmap(id), .move(id, to: GuestAddress(bytes(64))), test.removal(id, 1..<3), .map(id, MapParameters()),
            test.mapping(id, 1..<3, test.ram, page: 1), .move(id, to: GuestAddress(0)),
        ])
        #expect(plan.operations.isEmpty && plan.removed.isEmpty && plan.added.isEmpty)
    }

    @Test("A plan tells the pieces that go and come, whole, and no others")
    mutating func pieces() throws {
        _ = try test.addMapped("ram", 0..<16)
        let far = try test.addMapped("far", 32..<48)
        let window = try test.add("window", 4..<8, priority: 1)
        let plan = try test.planner.plan([.map(window, MapParameters()), test.removal(far, 2..<3)])
        #expect(plan.removed.map(\.range) == [pages(0..<16), pages(32..<48)])
        #expect(
            plan.added.map(\.range) == [
                pages(0..<4), pages(4..<8), pages(8..<16), pages(32..<34), pages(34..<35), pages(35..<48),
            ])
    }

    @Test("Changes on both sides of what stays make one piece of it go and come")
    mutating func sharedNeighbour() throws {
        let id = try test.addMapped("ram", 0..<16)
        let plan = try test.planner.plan([test.removal(id, 2..<4), test.removal(id, 8..<10), test.removal(id, 12..<13)])
        #expect(plan.removed.map(\.range) == [pages(0..<16)])
        #expect(
            plan.added.map(\.range) == [
                pages(0..<2), pages(2..<4), pages(4..<8), pages(8..<10), pages(10..<12), pages(12..<13), pages(13..<16),
            ])
        #expect(test.describe(plan) == ["unmap 2..<4", "unmap 8..<10", "unmap 12..<13"])
    }
}
