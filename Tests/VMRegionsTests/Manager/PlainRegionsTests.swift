import TestSupport
import Testing
import VMAddressSpace

@testable import VMRegions

@Suite("Regions that are seen as they are defined")
struct PlainRegionsTests {
    private typealias Memory = RegionDefinition.Memory

    private static let addressWidth = 20
    private let ram: RegionBacking
    private let other: RegionBacking

    init() throws {
        ram = try BackingKind.anonymous.make("ram", pages: 16)
        other = try BackingKind.memfd.make("other", pages: 16)
    }

    /// Mapped, and all memory.
    private func definition(
        _ frames: Range<UInt64>, of backing: RegionBacking, at page: UInt64, isWritable: Bool? = nil,
        priority: UInt8 = 0, _ parameters: MapParameters? = MapParameters()
    ) -> RegionDefinition {
        let range = pages(frames)
        return RegionDefinition(
            "\(frames)", range, priority: priority,
            memory: [
                Memory(count: range.count, of: backing, backingOffset: bytes(page), isWritable: isWritable)
            ],
            parameters: parameters)
    }

    private func plain(_ definitions: [RegionDefinition]) -> PlainRegions? {
        PlainRegions(definitions, addressWidth: Self.addressWidth)
    }

    /// The same by a planner.
    private func planned(_ definitions: [RegionDefinition], _ policy: OverlapPolicy) throws -> RegionPlanning {
        let planning = RegionPlanning(policy, addressWidth: Self.addressWidth)
        try planning.add(definitions, in: try GuestReservation(addressWidth: Self.addressWidth))
        return planning
    }

    private func text(_ pieces: [BackedPiece]) -> [String] {
        pieces.map { "\($0.range) \($0.memory) \($0.backing.name)" }
    }

    /// Regions of one backing, with gaps here and there in the addresses and in the backing.
    private func randomDefinitions(_ numbers: inout SeededGenerator) -> [RegionDefinition] {
        var (frame, page) = (UInt64.random(in: 0..<4, using: &numbers), UInt64.random(in: 0..<3, using: &numbers))
        var definitions: [RegionDefinition] = []
        while definitions.count < 6 {
            let count = UInt64.random(in: 1..<5, using: &numbers)
            guard page + count <= 16 else { break }
            definitions.append(
                definition(
                    frame..<(frame + count), of: ram, at: page, isWritable: Bool.random(using: &numbers),
                    priority: UInt8.random(in: 0..<3, using: &numbers),
                    MapParameters(
                        isWritable: Bool.random(using: &numbers), isExecutable: Bool.random(using: &numbers),
                        prefetch: Bool.random(using: &numbers))))
            frame += count + UInt64.random(in: 0..<3, using: &numbers)
            page += count + UInt64.random(in: 0..<2, using: &numbers)
        }
        return definitions
    }

    @Test(
        "They come to the same as planned, and so do changes of them", arguments: OverlapPolicy.allCases,
        0..<200 as Range<UInt64>)
    func sameAsPlanned(_ policy: OverlapPolicy, _ seed: UInt64) throws {
        var numbers = SeededGenerator(seed: seed)
        let definitions = randomDefinitions(&numbers)
        let regions = try #require(plain(definitions))
        let planned = try planned(definitions, policy)
        #expect(text(regions.pieces) == text(planned.inForce))
        let planning = RegionPlanning(policy, addressWidth: Self.addressWidth)
        planning.add(regions)
        #expect(PlannerState(planning.planner) == PlannerState(planned.planner))
        #expect(text(planning.inForce) == text(planned.inForce))
        #expect(planning.planner.policy == policy && planning.planner.addressWidth == Self.addressWidth)

        let chosen = RegionID(rawValue: .random(in: 1...UInt64(definitions.count), using: &numbers))
        let changes: [RegionChange] = [
            .unmap(chosen), .move(chosen, to: GuestAddress(bytes(80))), .map(chosen, MapParameters()),
            .add(planned.planner.makeRegionID(), name: "new", range: pages(0..<100), priority: 9),
        ]
        _ = planning.planner.makeRegionID()
        let plan = try planned.planner.plan(changes)
        let found = try planning.planner.plan(changes)
        #expect(found.removed == plan.removed && found.added == plan.added)
        #expect(PlannerState(planning.planner) == PlannerState(planned.planner))
    }

    @Test("Where there are none, there is nothing to plan")
    func none() throws {
        let regions = try #require(plain([]))
        #expect(regions.pieces.isEmpty && regions.backing == nil)
        let planning = RegionPlanning(.layered, addressWidth: Self.addressWidth)
        planning.add(regions)
        #expect(PlannerState(planning.planner) == PlannerState(RegionPlanner(addressWidth: Self.addressWidth)))
    }

    @Test("Whatever is otherwise takes a planner")
    func notPlain() throws {
        let first = definition(0..<4, of: ram, at: 0)
        #expect(plain([first, definition(4..<8, of: ram, at: 4)]) != nil)
        let readOnly = try BackingKind.readOnlyFile.make("rom", pages: 4)
        #expect(plain([definition(0..<4, of: readOnly, at: 0)]) != nil)
        let whole = pages(0..<4)
        func region(_ memory: [Memory]) -> RegionDefinition {
            RegionDefinition("other", whole, memory: memory, parameters: MapParameters())
        }
        let others: [(String, [RegionDefinition])] = [
            ("overlap", [first, definition(3..<8, of: ram, at: 4)]),
            ("descending", [definition(4..<8, of: ram, at: 4), first]),
            ("the same memory twice", [first, definition(4..<8, of: ram, at: 3)]),
            ("two backings", [first, definition(4..<8, of: other, at: 4)]),
            ("not mapped", [definition(0..<4, of: ram, at: 0, nil)]),
            ("beyond the address width", [definition(255..<257, of: ram, at: 0)]),
            ("beyond the backing", [definition(0..<4, of: ram, at: 13)]),
            ("far beyond the backing", [definition(0..<4, of: ram, at: 1 << 51)]),
            ("writable of read-only memory", [definition(0..<4, of: readOnly, at: 0, isWritable: true)]),
            ("no memory", [region([])]),
            ("in two parts", [region([Memory(count: 4096, of: ram), Memory(offset: 4096, count: 3 * 4096, of: ram)])]),
            ("not all memory", [region([Memory(count: 3 * 4096, of: ram)])]),
            ("not from the start", [region([Memory(offset: 4096, count: 4 * 4096, of: ram)])]),
            ("no length", [region([Memory(count: 0, of: ram)])]),
            ("misaligned in the backing", [region([Memory(count: 4 * 4096, of: ram, backingOffset: 8)])]),
        ]
        for (name, definitions) in others { #expect(plain(definitions) == nil, "\(name)") }
    }
}
