import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory
@testable import VMRegions

@Suite("What is in the memory of regions")
struct ContentTests {
    @Test("It survives all that happens to a region, with its dirty bits", arguments: BackingKind.writable)
    func survival(_ kind: BackingKind) throws {
        let guest = try TestGuest()
        let ram = try guest.backing(kind, "ram", pages: 16)
        let rom = try guest.backing(.readOnlyFile, "rom", pages: 4)
        try guest.add("ram", 16..<32, of: ram)
        try guest.add("rom", 20..<24, priority: 1, of: rom, nil)
        let before = try GuestState(guest)
        let changes: [(inout RegionUpdate) -> Void] = [
            { $0.map(guest["rom"]) },
            { $0.unmap(guest["rom"]) },
            { $0.unmap(guest["ram"]) },
            { $0.map(guest["ram"]) },
            { $0.move(guest["ram"], to: GuestAddress(bytes(24))) },
            { $0.move(guest["ram"], to: GuestAddress(bytes(80))) },
            { $0.map(guest["ram"], MapParameters(isWritable: false)) },
            { $0.removeMappings(from: guest["ram"], at: bytes(2), count: bytes(5)) },
            { $0.addMapping(to: guest["ram"], of: ram, count: bytes(16)) },
            { $0.resize(guest["ram"], to: bytes(3)) },
            { $0.remove(guest["ram"]) },
        ]
        for (index, change) in changes.enumerated() {
            try guest.apply(change)
            let state = try GuestState(guest)
            #expect(state.contents == before.contents && state.dirty == before.dirty, "after change \(index)")
            #expect(try guest.complaints() == [], "after change \(index)")
        }
        // The manager has forgotten it by now.
        try guest.add("again", 16..<32, of: ram)
        for page in 0..<16 as Range<UInt64> {
            #expect(try guest.contents(16 + page) == originalContents(of: "ram", page))
        }
    }

    @Test("A write is marked at its place in the backing, wherever that is seen", arguments: BackingKind.writable)
    func dirtyBits(_ kind: BackingKind) throws {
        let guest = try TestGuest()
        let ram = try guest.backing(kind, "ram", pages: 32)
        try guest.add("ram", 16..<32, of: ram, page: 8)
        ram.bitmap.clear()
        try guest.fill(18, with: 1)
        try guest.apply { $0.move(guest["ram"], to: GuestAddress(bytes(100))) }
        try guest.fill(105, with: 2)
        try guest.apply { $0.unmap(guest["ram"]) }
        #expect(Array(ram.bitmap.dirtyRuns()) == [10..<11, 13..<14])
        #expect(throws: GuestMemoryError.self) { try guest.fill(105, with: 3) }
        #expect(Array(ram.bitmap.dirtyRuns()) == [10..<11, 13..<14])
    }

    @Test("A partition's dirty log reaches the backings, within a change those that were there before it maps")
    func dirtyLog() throws {
        let guest = try TestGuest()
        let old = try guest.backing(.anonymous, "old", pages: 4)
        let new = try guest.backing(.memfd, "new", pages: 8)
        try guest.add("old", 16..<20, of: old)
        try guest.add("new", 16..<24, priority: 1, of: new, nil)
        old.bitmap.clear()
        new.bitmap.clear()
        let sink = guest.manager.dirtyLog
        let log: @Sendable (UInt64) -> Void = { bits in
            withUnsafePointer(to: bits) { sink.merge(UnsafeBufferPointer(start: $0, count: 1), of: pages(16..<24)) }
        }
        guest.partitions[0].onCall { call in
            switch call {
            case "begin": log(0b0001)
            case "unmap": log(0b0010)
            case "map": log(0b0100)
            default: log(0b1000_1000)
            }
        }
        try guest.apply { $0.map(guest["new"]) }
        #expect(Array(old.bitmap.dirtyRuns()) == [0..<2])
        #expect(Array(new.bitmap.dirtyRuns()) == [2..<4, 7..<8])
        // What was written to new memory while it was seen, before the change failed.
        try guest.apply { $0.unmap(guest["new"]) }
        old.bitmap.clear()
        new.bitmap.clear()
        let second = FakePartition("second", guest.log)
        try guest.inTurn { manager throws(RegionManagerError) in try manager.addPartition(second) }
        guest.partitions[0].onCall { call in if call == "unmap" { log(0b1_0000) } }
        // begin twice, unmap twice, the host twice, map once.
        guest.log.start(failing: [7])
        #expect(throws: RegionManagerError.self) { try guest.apply { $0.map(guest["new"]) } }
        #expect(Array(old.bitmap.dirtyRuns()) == [] && Array(new.bitmap.dirtyRuns()) == [4..<5])
        log(0b1)
        #expect(Array(old.bitmap.dirtyRuns()) == [0..<1])
    }

    @Test("What a partition finds in its log while its manager goes is not lost")
    func lastDirtyLog() throws {
        let ram: RegionBacking
        do {
            let guest = try TestGuest()
            ram = try guest.backing(.memfd, "ram", pages: 4)
            try guest.add("ram", 16..<20, of: ram)
            ram.bitmap.clear()
            let sink = guest.manager.dirtyLog
            guest.partitions[0].onCall { call in
                guard call == "unmap" else { return }
                withUnsafePointer(to: 0b0110 as UInt64) { word in
                    sink.merge(UnsafeBufferPointer(start: word, count: 1), of: pages(16..<20))
                }
            }
        }
        #expect(Array(ram.bitmap.dirtyRuns()) == [1..<3])
    }

    @Test("A shared file at two places is the same memory at both")
    func twoPlaces() throws {
        let guest = try TestGuest()
        let ram = try guest.backing(.memfd, "ram", pages: 4)
        try guest.add("low", 16..<20, of: ram)
        try guest.add("high", 40..<42, of: ram, page: 2, isWritable: false)
        try guest.fill(19, with: 77)
        #expect(try guest.contents(41) == 77)
        #expect(throws: GuestMemoryError.self) { try guest.fill(41, with: 78) }
        try guest.apply { $0.remove(guest["low"]) }
        #expect(try guest.contents(41) == 77)
        #expect(try guest.complaints() == [])
    }

    @Test("Pages that can only be at one place are refused to a second manager until the first lets go of them")
    func twoManagers() throws {
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(4))
        let other = try RegionBacking(anonymous: "other", byteCount: bytes(4))
        let shared = try RegionBacking(memfd: "shared", byteCount: bytes(4))
        let first = try TestGuest()
        try first.add("ram", 16..<20, of: ram)
        try first.fill(17, with: 5)
        try first.add("shared", 30..<34, of: shared)
        try first.fill(30, with: 6)
        do {
            let second = try TestGuest()
            try second.add("shared", 50..<54, of: shared)
            #expect(try second.contents(50) == 6)
            let region = try second.add("ram", 16..<20)
            var update = RegionUpdate()
            // It would be the second's, did the rest not fail.
            update.addMapping(to: region, of: other, count: bytes(1))
            update.addMapping(to: region, at: bytes(1), of: ram, count: bytes(1))
            guard case .backingInUseElsewhere("ram") = second.failure(of: update) else {
                Issue.record("the backing was used twice")
                return
            }
            try first.add("other", 60..<62, of: other)
            try first.apply { $0.remove(first["ram"]) }
            try second.apply { $0.addMapping(to: region, of: ram, count: bytes(4)) }
            try second.apply { $0.map(region) }
            #expect(try second.contents(17) == 5)
        }
        // The second manager is gone.
        try first.add("again", 16..<20, of: ram)
        #expect(try first.contents(17) == 0)
    }

    @Test("What is to be provided at once is there, before anybody touches it")
    func prefetch() throws {
        let guest = try TestGuest()
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(16))
        try guest.add("ram", 16..<32, of: ram, MapParameters(prefetch: true))
        let lazy = try RegionBacking(anonymous: "lazy", byteCount: bytes(16))
        try guest.add("lazy", 48..<64, of: lazy)
        let reservation = guest.manager.space.reservation
        let base = reservation.baseAddress
        func resident(_ frame: Int) throws -> Int {
            try HostPages(base: base + frame * 4096, count: 16 * 4096).residentByteCount()
        }
        #expect(try resident(16) == 16 * 4096)
        #expect(try resident(48) == 0)
    }

    @Test(
        "Only what region, mapping and backing all allow to be written can be written, by anybody",
        arguments: [false, true], [false, true])
    func writability(_ region: Bool, _ mapping: Bool) throws {
        for kind in BackingKind.writable {
            let guest = try TestGuest()
            let ram = try guest.backing(kind, "ram", pages: 4)
            try guest.add("ram", 16..<20, of: ram, isWritable: mapping, MapParameters(isWritable: region))
            let isWritable = region && mapping
            func check() throws {
                #expect(try guest.complaints() == [])
                #expect(guest.partitions[0].pages.values.allSatisfy { $0.isWritable == isWritable })
                #expect(
                    guest.manager.space.reservation.pieces.allSatisfy { $0.protection.contains(.write) == isWritable })
                if isWritable {
                    try guest.fill(16, with: 3)
                } else {
                    #expect(throws: GuestMemoryError.self) { try guest.fill(16, with: 3) }
                }
            }
            try check()
            // A mapping that comes to a region that is there already.
            try guest.apply { $0.removeMappings(from: guest["ram"], at: 0, count: bytes(2)) }
            try guest.apply {
                $0.addMapping(to: guest["ram"], of: ram, count: bytes(2), isWritable: mapping)
            }
            try check()
        }
    }
}
