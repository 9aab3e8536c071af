import TestSupport
import Testing
import VMAddressSpace
import VMDirtyTracking
import VMMemory
import VMRegions

@testable import VMMachine

/// What a guest writes in ring 0, page by page as it is told, and what is reported of it.
@Suite(
    .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    // Its guests never sleep: each takes a processor.
    .serialized, .timeLimit(.minutes(10)))
struct DirtyTrackerTests {
    private static let start: UInt64 = 0x200_0000
    private static let first = start >> 12

    /// A guest that is tracked from now on.
    private struct Setting {
        let guest: PeekSession
        var tracker: DirtyTracker { guest.machine.dirtyTracker }

        init(_ method: DirtyTrackingMethod, baseline: DirtyBaseline? = .clean) async throws {
            guest = try await PeekSession { configuration in
                configuration.irqchip = .none
                configuration.memory = ByteSize(bytes: 64 << 20)
                configuration.prepare(for: method)
            }
            if let baseline { try tracker.start(method, from: baseline) }
        }

        func fill(_ pages: Range<UInt64>) async throws {
            let answer = try await guest.ask("fill \(start + pages.lowerBound << 12) \(UInt64(pages.count) << 12) 7")
            #expect(answer == "done")
        }

        /// What was written of the pages from `start` on, and how many others there were.
        func harvest(_ range: MemoryRange? = nil) throws -> (pages: Set<UInt64>, others: Int) {
            var round = DirtyRound()
            try tracker.harvest(range, into: &round)
            let frames = round.frames()
            #expect(UInt64(frames.count) == round.pageCount && round.byteCount == round.pageCount << 12)
            let pages = frames.filter { $0 >= first }
            return (Set(pages.map { $0 - first }), frames.count - pages.count)
        }
    }

    @Test(
        "The pages that the guest and the monitor have written are reported, once, and no others",
        arguments: hostMethods)
    func exactly(_ method: DirtyTrackingMethod) async throws {
        let setting = try await Setting(method)
        #expect(setting.tracker.method == method)
        _ = try setting.harvest()
        // What it takes to obey: its stack, its variables, the line it reads.
        #expect(try await setting.guest.read(Self.start) == 0)
        let own = try setting.harvest()
        #expect(own.pages.isEmpty && own.others < 8)
        try await setting.fill(3..<70)
        try await setting.fill(200..<201)
        try setting.guest.machine.memory.write([1, 2, 3], at: GuestAddress(Self.start + 100 << 12 - 1))
        let found = try setting.harvest()
        #expect(found.pages == Set(3..<70).union([200, 99, 100]))
        #expect(found.others == own.others)
        #expect(try setting.harvest().pages.isEmpty)
        // Once reported, pages are reported again when they are written again.
        try await setting.fill(64..<72)
        #expect(try setting.harvest().pages == Set(64..<72))
        try setting.tracker.stop()
        _ = setting.guest.end()
    }

    @Test("A harvest of a range leaves the rest to the next", arguments: hostMethods)
    func byRange(_ method: DirtyTrackingMethod) async throws {
        let setting = try await Setting(method)
        try await setting.fill(0..<300)
        let range = try MemoryRange(start: GuestAddress(Self.start + 50 << 12), count: 100 << 12)
        #expect(try setting.harvest(range).pages == Set(50..<150))
        try await setting.fill(60..<61)
        #expect(try setting.harvest().pages == Set(0..<50).union(150..<300).union([60]))
        #expect(try setting.harvest(range).pages.isEmpty)
        _ = setting.guest.end()
    }

    @Test("A round that is put back is reported again, with what was written since", arguments: hostMethods)
    func puttingBack(_ method: DirtyTrackingMethod) async throws {
        let setting = try await Setting(method)
        try await setting.fill(10..<20)
        var round = DirtyRound()
        try setting.tracker.harvest(into: &round)
        try await setting.fill(30..<31)
        round.putBack()
        #expect(round.pageCount == 0 && round.frames().isEmpty)
        #expect(try setting.harvest().pages == Set(10..<20).union([30]))
        _ = setting.guest.end()
    }

    @Test("All pages are reported first where that is asked for", arguments: hostMethods)
    func allPages(_ method: DirtyTrackingMethod) async throws {
        let setting = try await Setting(method, baseline: .dirty)
        var round = DirtyRound()
        try setting.tracker.harvest(into: &round)
        #expect(round.byteCount == 64 << 20)
        try await setting.fill(10..<20)
        #expect(try setting.harvest().pages == Set(10..<20))
        _ = setting.guest.end()
    }

    @Test(
        "RAM that comes while tracking is on is tracked, what goes is not, and it can come back", arguments: hostMethods
    )
    func hotAdd(_ method: DirtyTrackingMethod) async throws {
        let setting = try await Setting(method)
        let added = try MemoryRange(start: GuestAddress(0x1000_0000), count: 1 << 20)
        let handle = try setting.guest.machine.addRAM(at: added)
        try await setting.fill(0..<2)
        #expect(try await setting.guest.ask("fill 0x10003000 0x5000 1") == "done")
        var round = DirtyRound()
        try setting.tracker.harvest(into: &round)
        let frames = round.frames().filter { $0 >= Self.first }
        #expect(frames == Set([Self.first, Self.first + 1]).union(0x10003..<0x10008))
        #expect(round.pageCount(in: added) == 5)
        #expect(try await setting.guest.ask("fill 0x10040000 0x1000 1") == "done")
        try await handle.unmap()
        // Nothing is there.
        #expect(try await setting.guest.ask("fill 0x10050000 0x1000 1") == "done")
        try setting.tracker.harvest(into: &round)
        #expect(round.pageCount(in: added) == 0)
        try await handle.map()
        try setting.tracker.harvest(into: &round)
        #expect(round.frames().filter { $0 >= 0x10000 } == [0x10040])
        try await handle.teardown()
        _ = setting.guest.end()
    }

    @Test("Writes to large pages are found, also where every page was to be reported first", arguments: hostMethods)
    func largePages(_ method: DirtyTrackingMethod) async throws {
        let setting = try await Setting(method, baseline: nil)
        let regions = setting.guest.machine.regions
        let range = try MemoryRange(start: GuestAddress(0x1000_0000), count: 4 << 20)
        let backing = try RegionBacking(anonymous: "large", byteCount: range.count, transparentHugePages: true)
        let region = try await regions.addRegion("large", range)
        try await region.addMapping(of: backing, count: range.count)
        try await region.map()
        // All there, and mapped, in as large pages as the host has.
        #expect(try await setting.guest.ask("fill 0x10000000 4M 1") == "done")
        try setting.tracker.start(method, from: .dirty)
        var round = DirtyRound()
        for page in [UInt64(5), 700] {
            try setting.tracker.harvest(into: &round)
            #expect(try await setting.guest.ask("write \(range.start.rawValue + page << 12) 7") == "done")
            try setting.tracker.harvest(into: &round)
            #expect(round.frames().filter(range.frames.contains) == [range.frames.lowerBound + page])
        }
        try await region.teardown()
        _ = setting.guest.end()
    }

    @Test("Tracking starts and stops, by one method and another, while the guest writes, and no write is lost")
    func startAndStop() async throws {
        for methods in [hostMethods.filter { $0 != .ring }, hostMethods.filter { $0 == .ring }] where !methods.isEmpty {
            let setting = try await Setting(methods[0], baseline: nil)
            let machine = setting.guest.machine
            #expect(try await setting.guest.ask("churn \(Self.start) \(64 << 12)") == "done")
            var round = DirtyRound()
            var last = DirtyRound()
            for cycle in 0..<12 {
                try setting.tracker.start(methods[cycle % methods.count], from: cycle % 3 == 0 ? .dirty : .clean)
                machine.pause()
                let copy = try MemoryCopy(machine, MemoryRange(start: GuestAddress(Self.start), count: 64 << 12))
                try setting.tracker.harvest(into: &round)
                machine.resume()
                for _ in 0..<10_000 where copy.differences().count <= 16 { try await Task.sleep(for: .milliseconds(1)) }
                try setting.tracker.harvest(into: &round)
                try await Task.sleep(for: .milliseconds(5))
                machine.pause()
                try setting.tracker.harvest(into: &last)
                let changed = copy.differences()
                #expect(changed.count > 16, "the guest wrote too little in cycle \(cycle)")
                let lost = changed.subtracting(round.frames()).subtracting(last.frames())
                #expect(lost.isEmpty, "cycle \(cycle)")
                machine.resume()
                try setting.tracker.stop()
            }
            #expect(try await setting.guest.ask("stop").hasSuffix(" 0 errors"))
            #expect(machine.partition.slots.allSatisfy { !$0.slot.flags.contains(.logDirtyPages) })
            _ = setting.guest.end()
        }
    }

    @Test("What two processors write is reported, with rings by processor", arguments: hostMethods)
    func twoProcessors(_ method: DirtyTrackingMethod) async throws {
        // again: inc dword [si + 0x1000]; inc dword ss:[di + 0x500]; jmp again
        let guest = try TwoProcessors(
            .full, [0x66, 0xff, 0x84, 0x00, 0x10, 0x66, 0x36, 0xff, 0x85, 0x00, 0x05, 0xeb, 0xf3]
        ) { $0.prepare(for: method) }
        try guest.machine.dirtyTracker.start(method)
        try guest.machine.start()
        var round = DirtyRound()
        for _ in 0..<5 {
            // Of a write from after the harvest before.
            for _ in 0..<2 {
                let before = try guest.said
                try #require(
                    try await guest.wait { said in !before.contains(said) },
                    "\(String(describing: guest.machine.control.waitForEnding(until: .now)))")
            }
            try guest.machine.dirtyTracker.harvest(into: &round)
            // All pages where the host let a ring run over, as it may for code that it emulates.
            #expect(round.frames().isSuperset(of: [0, 1, 2]))
            #expect(round.pageCount == 3 || method == .ring && round.pageCount == 16)
        }
        let counts = guest.machine.dirtyTracker.dirtyPageCounts
        if method == .ring {
            #expect(try #require(counts).allSatisfy { $0 >= 5 } && counts?.count == 2)
        } else {
            #expect(counts == nil)
        }
        guest.machine.stop()
        _ = guest.machine.wait()
        // A machine that has ended still has what was written last.
        try guest.machine.dirtyTracker.harvest(into: &round)
        #expect(round.frames().isSubset(of: [0, 1, 2]) || method == .ring)
    }

    @Test("What makes no sense is refused, and says what to do")
    func refusals() async throws {
        func message(_ body: () throws(DirtyTrackingError) -> Void) -> String {
            do throws(DirtyTrackingError) {
                try body()
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        var round = DirtyRound()
        let console = CollectingConsole()
        var machine: Machine? = try makeMachine("hello", { $0.irqchip = .none }, console: console)
        let tracker = try #require(machine).dirtyTracker
        #expect(
            message { () throws(DirtyTrackingError) in try tracker.harvest(into: &round) }.contains("start that first"))
        #expect(message { () throws(DirtyTrackingError) in try tracker.stop() }.contains("not tracked"))
        #expect(message { () throws(DirtyTrackingError) in try tracker.start(.ring) }.contains("without dirty rings"))
        try tracker.start(.log)
        #expect(message { () throws(DirtyTrackingError) in try tracker.start() }.contains("already, by \"log\""))
        #expect(tracker.method == .log)
        machine = nil
        #expect(message { () throws(DirtyTrackingError) in try tracker.harvest(into: &round) }.contains("is gone"))
        try tracker.stop()
        #expect(message { () throws(DirtyTrackingError) in try tracker.start() }.contains("is gone"))
        #expect(round.pageCount == 0)

        let off = try makeMachine("hello", { $0.dirtyTracking = .off }, console: console)
        #expect(message { () throws(DirtyTrackingError) in try off.dirtyTracker.start() }.contains("tracking off"))
        guard hostMethods.contains(.ring) else { return }
        let rings = try makeMachine("hello", { $0.dirtyTracking = .ring }, console: console)
        #expect(
            message { () throws(DirtyTrackingError) in try rings.dirtyTracker.start(.log) }.contains("use \"ring\""))
        try rings.dirtyTracker.start()
        #expect(rings.dirtyTracker.method == .ring)
    }
}
