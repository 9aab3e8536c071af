import Glibc
import KVM
import TestSupport
import Testing
import VMAddressSpace
import VMMemory
import VMRegions

@testable import VMMachine

/// A region manager whose guest sees its regions through slots. Every call of every change in a table fails in turn.
@Suite("A region manager over memory slots") struct ManagedPartitionTests {
    /// A change that takes several calls, and the regions before it.
    struct Scenario: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let prepare: @Sendable (Guest) throws -> RegionUpdate

        init(_ name: String, _ prepare: @escaping @Sendable (Guest) throws -> RegionUpdate) {
            testDescription = name
            self.prepare = prepare
        }
    }

    /// A manager with its regions, and a fake of the kernel.
    final class Guest {
        let vm = FakeVM()
        let partition: KVMPartition
        let manager: RegionManager
        private var backings: [RegionBacking] = []
        private var handles: [RegionHandle] = []

        init() throws {
            let manager = try RegionManager(addressWidth: 32)
            let partition = vm.partition()
            try manager.withTurn { manager throws(RegionManagerError) in try manager.addPartition(partition) }
            self.manager = manager
            self.partition = partition
        }

        /// A region with memory, each page of which has contents of its own if it can be seen.
        func add(
            _ name: String, _ frames: Range<UInt64>, priority: UInt8 = 0, isAnonymous: Bool = true,
            _ parameters: MapParameters? = MapParameters()
        ) throws -> RegionHandle {
            let count = UInt64(frames.count) << 12
            let backing =
                isAnonymous
                ? try RegionBacking(anonymous: name, byteCount: count)
                : try RegionBacking(memfd: name, byteCount: count)
            let definition = RegionDefinition(
                name, pages(frames), priority: priority, memory: [.init(count: count, of: backing)],
                parameters: parameters)
            let handle = try manager.withTurn { manager throws(RegionManagerError) in
                try manager.addRegions([definition])[0]
            }
            if parameters?.isWritable == true {
                for frame in frames {
                    try manager.memory.store(frame << 8 | UInt64(priority), at: GuestAddress(frame << 12))
                }
            }
            backings.append(backing)
            handles.append(handle)
            return handle
        }

        /// - Returns: why the change was not made.
        func failure(of update: RegionUpdate) -> RegionManagerError? {
            do throws(RegionManagerError) {
                try manager.withTurn { manager throws(RegionManagerError) in try manager.apply(update) }
                return nil
            } catch {
                return error
            }
        }

        /// All that a change that fails must leave as it was.
        struct State: Equatable {
            let slots: [MemorySlot]
            let regions: [RegionInspection.Region]
            let view: [RegionInspection.Piece]
            /// Pages of each backing that were written.
            let dirty: [Int]
            let isUnfinished: Bool
            let published: [MemoryRange]
            /// The first word of each page that is seen.
            let contents: [UInt64]
        }

        func state() throws -> State {
            let inspection = try manager.withTurn { $0.inspect() }
            let published = manager.memory.regionMap.ranges
            let contents = try published.flatMap(\.frames).map {
                try manager.memory.load(GuestAddress($0 << 12), as: UInt64.self)
            }
            return State(
                slots: vm.slots, regions: inspection.regions, view: inspection.view,
                dirty: inspection.backings.map { Int($0.dirtyPageCount) }, isUnfinished: inspection.unfinished != nil,
                published: published, contents: contents)
        }
    }

    static let scenarios = [
        Scenario("a region is shown") { guest in
            _ = try guest.add("ram", 0..<64)
            var update = RegionUpdate()
            update.map(try guest.add("more", 64..<80, nil))
            return update
        },
        Scenario("regions are shown apart from each other") { guest in
            var update = RegionUpdate()
            for start in [16, 32, 48] as [UInt64] { update.map(try guest.add("\(start)", start..<start + 8, nil)) }
            return update
        },
        Scenario("a region is removed") { guest in
            _ = try guest.add("ram", 0..<64)
            let more = try guest.add("more", 80..<96)
            var update = RegionUpdate()
            update.remove(more)
            return update
        },
        Scenario("a ROM comes over RAM") { guest in
            _ = try guest.add("ram", 0..<64)
            let rom = try guest.add("rom", 16..<20, priority: 1, isAnonymous: false, nil)
            var update = RegionUpdate()
            update.map(rom, MapParameters(isWritable: false))
            return update
        },
        Scenario("a ROM goes from RAM") { guest in
            _ = try guest.add("ram", 0..<64)
            let rom = try guest.add("rom", 16..<20, priority: 1, isAnonymous: false, MapParameters(isWritable: false))
            var update = RegionUpdate()
            update.unmap(rom)
            return update
        },
        Scenario("RAM becomes read-only") { guest in
            let ram = try guest.add("ram", 0..<64)
            var update = RegionUpdate()
            update.map(ram, MapParameters(isWritable: false))
            return update
        },
        Scenario("a region moves away") { guest in
            let ram = try guest.add("ram", 0..<32)
            var update = RegionUpdate()
            update.move(ram, to: GuestAddress(100 << 12))
            return update
        },
        Scenario("a region moves partly to where it is") { guest in
            let ram = try guest.add("ram", 16..<48)
            var update = RegionUpdate()
            update.move(ram, to: GuestAddress(20 << 12))
            return update
        },
        Scenario("regions of different lengths change places") { guest in
            let low = try guest.add("low", 0..<32)
            let high = try guest.add("high", 100..<116)
            var update = RegionUpdate()
            update.move(low, to: GuestAddress(100 << 12))
            update.move(high, to: GuestAddress(0))
            return update
        },
        Scenario("memory is taken out at two places, and more comes elsewhere") { guest in
            let ram = try guest.add("ram", 0..<64)
            let more = try guest.add("more", 80..<90, isAnonymous: false, nil)
            var update = RegionUpdate()
            update.removeMappings(from: ram, at: 4 << 12, count: 4 << 12)
            update.removeMappings(from: ram, at: 40 << 12, count: 1 << 12)
            update.map(more)
            return update
        },
    ]

    @Test(
        "Whichever call fails, all is as before, and the change can be made then", arguments: scenarios, [false, true])
    func oneFailure(_ scenario: Scenario, _ isLogging: Bool) throws {
        let guest = try Guest()
        let update = try scenario.prepare(guest)
        if isLogging { try guest.partition.setLoggingDirtyPages(true) }
        let before = try guest.state()
        var call = 0
        while true {
            guest.vm.fail(call..<call + 1)
            guard let error = guest.failure(of: update) else { break }
            guard case .failed = error else {
                Issue.record("call \(call): \(error)")
                return
            }
            #expect("\(error)".contains("call \(call)") && "\(error)".contains("ENOMEM"))
            #expect(try guest.state() == before, "call \(call) failed")
            #expect(guest.vm.complaints.isEmpty && !guest.vm.isQuiesced)
            call += 1
        }
        guest.vm.fail(0..<0)
        #expect(call > 0 && guest.vm.complaints.isEmpty && !guest.vm.isQuiesced)
        let after = try guest.state()
        #expect(after != before && after.slots != before.slots)
        #expect(guest.partition.slots.map(\.slot) == after.slots)
    }

    @Test(
        "Where undoing fails too, the guest does not run until that is made good, first thing later on",
        arguments: scenarios, [false, true])
    func failingUndo(_ scenario: Scenario, _ isLogging: Bool) throws {
        let guest = try Guest()
        let update = try scenario.prepare(guest)
        if isLogging { try guest.partition.setLoggingDirtyPages(true) }
        let before = try guest.state()
        var call = 0
        var unfinished = 0
        while true {
            // Nothing works from then on.
            guest.vm.fail(call..<1000)
            guard let error = guest.failure(of: update) else { break }
            let isRestored = if case .failed = error { true } else { false }
            let isUnfinished = try guest.manager.withTurn { $0.inspect() }.unfinished != nil
            #expect(isUnfinished != isRestored, "call \(call): \(error)")
            if isRestored {
                #expect(try guest.state() == before)
            } else {
                unfinished += 1
                guard case .notRestored = guest.failure(of: RegionUpdate()) else {
                    Issue.record("call \(call): what cannot be undone is not in the way")
                    return
                }
                // Until the calls work, the processors are out if there is anything that they would miss.
                #expect(guest.vm.isQuiesced || guest.vm.hasSameMemory(as: before.slots), "call \(call): \(error)")
            }
            guest.vm.fail(0..<0)
            #expect(guest.failure(of: RegionUpdate()) == nil)
            #expect(try guest.state() == before, "call \(call)")
            #expect(guest.vm.complaints.isEmpty && !guest.vm.isQuiesced)
            call += 1
        }
        #expect(unfinished > 0 || call < 3)
    }

    @Test("A guest that is kept out because undoing failed runs again, unasked, once that can be made good")
    func unasked() throws {
        let guest = try Guest()
        _ = try guest.add("ram", 0..<64)
        let rom = try guest.add("rom", 16..<20, priority: 1, isAnonymous: false, nil)
        var update = RegionUpdate()
        update.map(rom, MapParameters(isWritable: false))
        let before = try guest.state()
        // The slot of the RAM goes, and nothing comes.
        guest.vm.fail(1..<1000)
        guard case .notRestored = guest.failure(of: update) else {
            Issue.record("not what was to fail")
            return
        }
        #expect(guest.vm.isQuiesced)
        guest.vm.fail(0..<0)
        for _ in 0..<20_000 where guest.vm.isQuiesced { usleep(1000) }
        #expect(!guest.vm.isQuiesced && guest.vm.slots == before.slots)
        #expect(try guest.state() == before)
    }
}
