import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMHost

@testable import VMMemory
@testable import VMRegions

/// Managers that have regions, and a partition, from the start: RAM, and a ROM over part of it; or RAM in two places, which
/// takes no planning.
@Suite("The regions that a region manager begins with")
struct FirstRegionsTests {
    private let log = StepLog()
    private let ram: RegionBacking
    private let rom: RegionBacking
    private let definitions: [RegionDefinition]

    init() throws {
        try self.init(.anonymous)
    }

    private init(_ kind: BackingKind = .anonymous, isPlain: Bool = false) throws {
        ram = try kind.make("ram", pages: 16)
        try ram.fill(0..<(kind == .copyOnWrite ? 8 : 16))
        rom = try BackingKind.readOnlyFile.make("rom", pages: 4)
        guard !isPlain else {
            definitions = [
                RegionDefinition(
                    "low", pages(16..<24), memory: [.init(count: bytes(8), of: ram)], parameters: MapParameters()),
                RegionDefinition(
                    "high", pages(28..<36), memory: [.init(count: bytes(8), of: ram, backingOffset: bytes(8))],
                    parameters: MapParameters(isExecutable: false, prefetch: true)),
            ]
            return
        }
        definitions = [
            RegionDefinition(
                "ram", pages(16..<32), memory: [.init(count: bytes(16), of: ram)],
                parameters: MapParameters(prefetch: true)),
            RegionDefinition(
                "rom", pages(20..<24), priority: 1, memory: [.init(count: bytes(4), of: rom)],
                parameters: MapParameters(isWritable: false)),
            RegionDefinition("hidden", pages(40..<44)),
        ]
    }

    private func make(
        _ made: (DirtyLogSink, FakePartition) -> Void = { _, _ in }
    ) throws(RegionManagerError) -> (manager: RegionManager, partition: FakePartition) {
        let log = log
        return try RegionManager.make(
            addressWidth: 32, policy: .layered, definitions,
            shownTo: { sink in
                let partition = FakePartition("A", log)
                let reservation = sink.space.reservation
                partition.check { range in
                    let bytes = range.start.rawValue..<range.endExclusive!.rawValue
                    return reservation.table.withLock { $0.firstGap(in: bytes) == nil }
                }
                made(sink, partition)
                return partition
            },
            beforeHostStep: { (step) throws(HostMemoryError) in try log.note(step) })
    }

    /// The memory map, as ranges that devices may write to and others.
    private func published(_ manager: RegionManager) -> [String] {
        manager.memory.regionMap.regions.map { "\($0.range.frames) \($0.isReadOnly)" }
    }

    private func contents(_ frame: UInt64, _ manager: RegionManager) throws -> UInt64 {
        try manager.memory.load(GuestAddress(bytes(frame)), as: UInt64.self)
    }

    @Test("They are in force as if they had been added, by the same steps in the same order", arguments: [false, true])
    func sameAsAdded(_ isPlain: Bool) throws {
        try FirstRegionsTests(isPlain: isPlain).compareWithAdded(
            map: isPlain
                ? ["16..<24 false", "28..<36 false"] : ["16..<20 false", "20..<24 true", "24..<32 false"],
            isPlain ? (29, "ram", 9) : (21, "rom", 1))
    }

    private func compareWithAdded(
        map expectedMap: [String], _ place: (frame: UInt64, backing: String, page: UInt64)
    ) throws {
        let added = try TestGuest(partitions: 0)
        let partition = FakePartition("A", added.log)
        let definitions = definitions
        let handles = try added.inTurn { manager throws(RegionManagerError) in
            let handles = try manager.addRegions(definitions)
            try manager.addPartition(partition)
            return handles
        }
        let expected = try added.inTurn { manager throws(RegionManagerError) in
            (PlannerState(manager.planning.planner), manager.counters, manager.inspect().backings)
        }
        // They go, so that others can have their memory.
        let steps = added.log.events.filter { !$0.hasPrefix("publish") }
        let map = published(added.manager)
        try added.inTurn { manager throws(RegionManagerError) in
            for handle in handles { try manager.tearDown(handle, waitingUpTo: .zero) }
        }
        let (manager, shown) = try make()
        let found = try manager.withTurn { manager throws(RegionManagerError) in
            (PlannerState(manager.planning.planner), manager.counters, manager.inspect().backings)
        }
        #expect(found.0 == expected.0 && found.1 == expected.1 && found.2 == expected.2)
        #expect(log.events == steps)
        #expect(published(manager) == map && map == expectedMap)
        #expect(shown.pages.count == 16 && shown.complaints == [])
        #expect(try contents(17, manager) == originalContents(of: "ram", 1))
        #expect(try contents(place.frame, manager) == originalContents(of: place.backing, place.page))
    }

    @Test("They can be changed like others, and go with the manager", arguments: [false, true])
    func changes(_ isPlain: Bool) throws {
        let shown: FakePartition
        do {
            let (manager, partition) = try FirstRegionsTests(isPlain: isPlain).make()
            let region = try manager.withTurn { manager throws(RegionManagerError) in
                try manager.addRegion("more", pages(18..<28), priority: 2)
            }
            try manager.withTurn { manager throws(RegionManagerError) in
                var update = RegionUpdate()
                update.map(region)
                try manager.apply(update)
            }
            let end = isPlain ? 36 : 32
            #expect(published(manager) == ["16..<18 false", "28..<\(end) false"])
            #expect(partition.pages.count == end - 26 && partition.complaints == [])
            shown = partition
        }
        // The handle's end may still have the manager for a moment, in another thread.
        for _ in 0..<2000 where !shown.pages.isEmpty { usleep(5_000) }
        #expect(shown.pages.isEmpty && shown.complaints == [])
    }

    @Test(
        "Whichever step fails, nothing is left behind, and they can be made then", arguments: BackingKind.writable,
        [false, true])
    func anyStep(_ kind: BackingKind, _ isPlain: Bool) throws {
        let tests = try FirstRegionsTests(kind, isPlain: isPlain)
        var failing = 0
        while try tests.fails(at: [failing]) { failing += 1 }
        // The pieces on the host; the partition's beginning, and its map.
        #expect(failing == (isPlain ? 4 : 5))
    }

    @Test("Where taking a step back fails as well, the memory is free for others", arguments: 1...4, 1...5)
    func anyStepBack(_ failing: Int, _ later: Int) throws {
        let tests = try FirstRegionsTests(.memfd)
        #expect(try tests.fails(at: [failing, failing + later]))
        #expect(try !tests.fails(at: []))
    }

    @Test("Pages that another guest has are refused, until it goes", arguments: [false, true])
    func inUseElsewhere(_ isPlain: Bool) throws {
        let tests = try FirstRegionsTests(isPlain: isPlain)
        do {
            let (manager, _) = try tests.make()
            #expect {
                _ = try tests.make()
            } throws: { error in
                if case .backingInUseElsewhere("ram") = error as? RegionManagerError { true } else { false }
            }
            withExtendedLifetime(manager) {}
        }
        _ = try tests.make()
    }

    /// - Returns: whether they could not be made.
    private func fails(at steps: Set<Int>) throws -> Bool {
        weak var space: GuestSpace?
        var partition: FakePartition?
        do throws(RegionManagerError) {
            log.start(failing: steps)
            let (manager, _) = try make { sink, made in (space, partition) = (sink.space, made) }
            for page in 0..<4 as Range<UInt64> {
                let word = try? contents(16 + page, manager)
                #expect(word == originalContents(of: "ram", page))
            }
            return false
        } catch {
            switch error {
            case .failed: #expect(partition == nil)
            case .partition: #expect(partition != nil)
            default: Issue.record("\(error)")
            }
            #expect(space == nil && partition?.pages.isEmpty != false && partition?.complaints ?? [] == [])
            return true
        }
    }
}
