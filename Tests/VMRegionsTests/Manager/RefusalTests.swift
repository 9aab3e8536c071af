import Glibc
import SystemPackage
import TestSupport
import Testing
import VMAddressSpace
import VMHost

@testable import VMMemory
@testable import VMRegions

@Suite("What a region manager refuses")
struct RefusalTests {
    @Test("An address width that the host has no addresses for", arguments: [-1, 0, 11, 48, 63, 64, 1000, .min, .max])
    func addressWidth(_ bits: Int) throws {
        let error = #expect(throws: RegionManagerError.self) { try RegionManager(addressWidth: bits) }
        guard case .addressSpace(bits, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("What makes no sense: it is counted, and nothing has changed")
    func nonsense() throws {
        let guest = try TestGuest(.nested)
        let ram = try guest.backing(.anonymous, "ram", pages: 8)
        try guest.add("ram", 16..<24, of: ram)
        let rom = try guest.backing(.readOnlyFile, "rom", pages: 2)
        let region = try guest.add("more", 40..<48)
        let before = try GuestState(guest)
        let refused = try guest.inTurn { manager throws(RegionManagerError) in manager.counters.refused }
        let changes: [(String, (inout RegionUpdate) -> Void)] = [
            ("outside", { $0.addMapping(to: region, at: bytes(7), of: rom, count: bytes(2)) }),
            ("no pages", { $0.addMapping(to: region, of: rom, count: 0) }),
            ("part of a page", { $0.addMapping(to: region, of: rom, count: 100) }),
            ("past the backing", { $0.addMapping(to: region, of: rom, backingOffset: bytes(1), count: bytes(2)) }),
            ("past 2^64", { $0.addMapping(to: region, of: rom, backingOffset: 0 &- bytes(1), count: bytes(2)) }),
            ("read-only", { $0.addMapping(to: region, of: rom, count: bytes(2), isWritable: true) }),
            ("twice", { $0.addMapping(to: region, of: ram, count: bytes(1)) }),
            ("overlap", { $0.move(region, to: GuestAddress(bytes(20))) }),
            ("too wide", { $0.move(region, to: GuestAddress(1 << 32 - bytes(1))) }),
            ("past 2^64", { $0.move(region, to: GuestAddress(0 &- bytes(1))) }),
            ("not at a page", { $0.move(region, to: GuestAddress(100)) }),
            ("without pages", { $0.resize(region, to: 0) }),
            ("too long", { $0.resize(region, to: .max - 4095) }),
        ]
        for (name, change) in changes {
            var update = RegionUpdate()
            update.map(region)
            change(&update)
            guard case .region = guest.failure(of: update) else {
                Issue.record("\(name) was not refused")
                return
            }
            #expect(try GuestState(guest) == before, "\(name)")
        }
        let counters = try guest.inTurn { manager throws(RegionManagerError) in manager.counters }
        #expect(counters.refused == refused + UInt64(changes.count) && counters.failed == 0)
        #expect(throws: RegionManagerError.self) { try guest.add("high", 1 << 20 - 1..<1 << 20 + 1) }
    }

    @Test("A partition that asks for a change while it is told of one")
    func changeWithinChange() throws {
        let guest = try TestGuest()
        try guest.add("ram", 16..<20, of: try guest.backing(.memfd, "ram", pages: 4))
        let (manager, late) = (guest.manager, FakePartition("late", guest.log))
        let refusals = Monitor<[String]>([])
        @Sendable func ask(
            _ call: String, _ request: @Sendable (isolated RegionManager) throws(RegionManagerError) -> Void
        ) {
            do throws(RegionManagerError) {
                try manager.withTurn(request)
            } catch {
                if case .withinChange = error { refusals.withLock { $0.append(call) } }
            }
        }
        guest.partitions[0].onCall { call in
            ask(call) { manager throws(RegionManagerError) in _ = try manager.addRegion("more", pages(40..<44)) }
            ask(call) { manager throws(RegionManagerError) in try manager.apply(RegionUpdate()) }
            ask(call) { manager throws(RegionManagerError) in try manager.addPartition(late) }
            ask(call) { manager throws(RegionManagerError) in try manager.removePartition(late) }
        }
        try guest.apply { $0.move(guest["ram"], to: GuestAddress(bytes(30))) }
        #expect(
            refusals.withLock(\.self) == ["begin", "unmap", "map", "end"].flatMap { Array(repeating: $0, count: 4) })
        guest.partitions[0].onCall { _ in }
        #expect(late.pages.isEmpty)
        #expect(try guest.complaints() == [])
    }

    @Test("A file that has become too short, and can be mapped once it is long again")
    func fileTooShort() throws {
        let guest = try TestGuest()
        let file = SharedMemoryFile(try MemoryFile(memfd: "ram", byteCount: bytes(4), sealed: false))
        let ram = try RegionBacking("ram", .file(file, .shared), byteCount: bytes(4))
        try guest.add("ram", 16..<20, of: ram, nil)
        try guest.add("other", 24..<28, of: try guest.backing(.anonymous, "other", pages: 4))
        let before = try GuestState(guest)
        #expect(ftruncate(file.file.descriptor.rawValue, off_t(bytes(2))) == 0)
        var update = RegionUpdate()
        update.map(guest["ram"])
        update.unmap(guest["other"])
        let error = guest.failure(of: update)
        guard case .failed(let failure) = error, failure.operation == .map, failure.place == "the host's memory" else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try GuestState(guest) == before)
        #expect(ftruncate(file.file.descriptor.rawValue, off_t(bytes(4))) == 0)
        try guest.apply(update)
        #expect(try guest.complaints() == [])
        #expect(throws: RegionBackingError.self) {
            try RegionBacking("longer", .file(file, .shared), byteCount: bytes(5))
        }
    }

    @Test("A backing that is empty or not made of whole pages", arguments: [0, 1, 4095, 4097, UInt64.max])
    func backing(_ byteCount: UInt64) {
        #expect(throws: RegionBackingError.self) { try RegionBacking(anonymous: "ram", byteCount: byteCount) }
    }
}
