import TestSupport
import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMDirtyTracking
import VMMemory
import VMRegions

@testable import VMMachine

/// What a guest writes reaches the bitmap of the memory it writes to, whatever happens to the regions meanwhile.
@Suite(
    .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    // Its guests never sleep: each takes a processor.
    .serialized, .timeLimit(.minutes(10)))
struct RegionLogTests {
    private static let start: UInt64 = 0x5000_0000
    private static let pageCount: UInt64 = 64

    /// A guest whose writes are logged, and a region of 64 pages that nobody has written to.
    private struct Setting {
        let guest: PeekSession
        let backing: RegionBacking
        let region: RegionHandle
        let rom: RegionHandle

        init(_ method: DirtyTrackingMethod) async throws {
            guest = try await PeekSession { configuration in
                configuration.irqchip = .none
                configuration.prepare(for: method)
            }
            backing = try RegionBacking(memfd: "working set", byteCount: pageCount << 12)
            let regions = guest.machine.regions
            region = try await regions.addRegion(
                "working set", MemoryRange(start: GuestAddress(start), count: pageCount << 12))
            try await region.addMapping(of: backing, count: pageCount << 12)
            try await region.map()
            // Over pages 16 to 19.
            rom = try await regions.addRegion(
                "rom", MemoryRange(start: GuestAddress(start + 16 << 12), count: 4 << 12), priority: 1)
            try await rom.addMapping(of: try RegionBacking(memfd: "rom", byteCount: 4 << 12), count: 4 << 12)
            try guest.machine.dirtyTracker.start(method)
            backing.bitmap.clear()
        }

        func fill(_ pages: Range<UInt64>, at start: UInt64 = RegionLogTests.start) async throws {
            let answer = try await guest.ask("fill \(start + pages.lowerBound << 12) \(UInt64(pages.count) << 12) 7")
            #expect(answer == "done")
        }

        var dirty: [Range<UInt64>] { Array(backing.bitmap.dirtyRuns()) }
    }

    @Test("Pages that the guest writes before and after each change are marked, and no others", arguments: hostMethods)
    func exactly(_ method: DirtyTrackingMethod) async throws {
        let setting = try await Setting(method)
        try await setting.fill(0..<8)
        #expect(setting.dirty.isEmpty)
        try await setting.rom.map(MapParameters(isWritable: false))
        #expect(setting.dirty == [0..<8])
        // Through the ROM nothing is written.
        try await setting.fill(12..<24)
        try await setting.rom.unmap()
        #expect(setting.dirty == [0..<8, 12..<16, 20..<24])
        try await setting.fill(17..<18)
        try await setting.region.move(to: GuestAddress(0x6000_0000))
        #expect(setting.dirty == [0..<8, 12..<16, 17..<18, 20..<24])
        try await setting.fill(40..<44, at: 0x6000_0000)
        // Nothing is there any more.
        try await setting.fill(50..<54)
        try await setting.region.teardown()
        #expect(setting.dirty == [0..<8, 12..<16, 17..<18, 20..<24, 40..<44])
        _ = setting.guest.end()
    }

    @Test(
        "While a guest writes without a pause, and its region is overlaid, moved and hidden, no write is lost",
        arguments: hostMethods)
    func racing(_ method: DirtyTrackingMethod) async throws {
        let setting = try await Setting(method)
        let machine = setting.guest.machine
        let contents = try setting.backing.mapping(.readOnly)
        func firstWords() -> [UInt64] {
            (0..<Self.pageCount).map {
                contents.baseAddress.load(fromByteOffset: Int($0) << 12, as: UInt64.self)
            }
        }
        var known = firstWords()
        var changed = 0
        #expect(try await setting.guest.ask("churn \(Self.start) \(Self.pageCount << 12)") == "done")
        for cycle in 0..<40 {
            switch cycle % 5 {
            case 0: try await setting.rom.map(MapParameters(isWritable: false))
            case 1: try await setting.region.move(to: GuestAddress(Self.start + 8 << 12))
            case 2: try await setting.rom.unmap()
            case 3: try await setting.region.move(to: GuestAddress(Self.start))
            default:
                try await setting.region.unmap()
                try await setting.region.map()
            }
            machine.pause()
            var round = DirtyRound()
            try machine.dirtyTracker.harvest(into: &round)
            round.putBack()
            let words = firstWords()
            for page in words.indices where words[page] != known[page] {
                changed += 1
                #expect(setting.backing.bitmap.isDirty(page: UInt64(page)), "page \(page) in cycle \(cycle)")
            }
            setting.backing.bitmap.clear()
            known = words
            machine.resume()
        }
        #expect(changed > 100)
        _ = try await setting.guest.ask("stop")
        _ = setting.guest.end()
    }

    @Test("What the log has when the machine goes reaches memory that outlives it")
    func atTheEnd() async throws {
        let backing = try RegionBacking(memfd: "working set", byteCount: 0x1_0000)
        let regions: RegionManager
        let region: RegionHandle
        do {
            let guest = try await PeekSession()
            regions = guest.machine.regions
            region = try await regions.addRegion(
                "working set", MemoryRange(start: GuestAddress(Self.start), count: 0x1_0000))
            try await region.addMapping(of: backing, count: 0x1_0000)
            try await region.map()
            try guest.machine.dirtyTracker.start()
            #expect(try await guest.ask("fill \(Self.start + 0x2000) 12K 7") == "done")
            _ = guest.end()
            #expect(backing.bitmap.dirtyPageCount() == 0)
        }
        #expect(Array(backing.bitmap.dirtyRuns()) == [2..<5])
        // Without the machine its regions can still be changed, and what they have be read.
        try await region.removeMappings(at: 0x1000, count: 0x1000)
        try await region.move(to: GuestAddress(0x6000_0000))
        #expect(try regions.memory.load(GuestAddress(0x6000_3000), as: UInt64.self) == 7 + 0x1000)
        try await region.teardown()
    }
}
