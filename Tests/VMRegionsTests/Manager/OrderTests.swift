import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory
@testable import VMRegions

/// What is done where, in which order. Memory is taken from devices (the memory map) first, then from partitions, then
/// from the host; it comes on the host first, then to devices, then to partitions.
@Suite("The order in which a region manager changes things")
struct OrderTests {
    @Test("New memory is on the host first, then devices see it, then the partitions")
    func map() throws {
        let guest = try TestGuest(partitions: 2)
        let ram = try guest.backing(.memfd, "ram", pages: 4)
        try guest.add("ram", 16..<20, of: ram, nil)
        guest.log.start()
        try guest.apply { $0.map(guest["ram"]) }
        #expect(
            guest.log.events == [
                "A begin", "B begin", "host map 16..<20", "publish 16..<20", "A map 16..<20", "B map 16..<20",
                "A end", "B end",
            ])
    }

    @Test("Memory that goes is taken from devices first, then from the partitions, then from the host")
    func unmap() throws {
        let guest = try TestGuest(partitions: 2)
        try guest.add("ram", 16..<20, of: try guest.backing(.memfd, "ram", pages: 4))
        guest.log.start()
        try guest.apply { $0.unmap(guest["ram"]) }
        #expect(
            guest.log.events == [
                "A begin", "B begin", "publish ", "A unmap 16..<20", "B unmap 16..<20", "host unmap 16..<20",
                "A end", "B end",
            ])
    }

    @Test("A ROM over RAM takes away only what it hides, and gives it back")
    func overlay() throws {
        let guest = try TestGuest()
        try guest.add("ram", 16..<32, of: try guest.backing(.anonymous, "ram", pages: 16))
        let rom = try guest.backing(.readOnlyFile, "rom", pages: 4)
        try guest.add("rom", 20..<24, priority: 1, of: rom, nil)
        guest.log.start()
        try guest.apply { $0.map(guest["rom"]) }
        #expect(
            guest.log.events == [
                "A begin", "publish 16..<20, 24..<32", "A unmap 20..<24", "host unmap 20..<24", "host map 20..<24",
                "publish 16..<32", "A map 20..<24", "A end",
            ])
        guest.log.start()
        try guest.apply { $0.unmap(guest["rom"]) }
        #expect(
            guest.log.events == [
                "A begin", "publish 16..<20, 24..<32", "A unmap 20..<24", "host unmap 20..<24", "host map 20..<24",
                "publish 16..<32", "A map 20..<24", "A end",
            ])
    }

    @Test("What fails is taken back in the opposite order, each step once")
    func goingBack() throws {
        let guest = try TestGuest(partitions: 2)
        try guest.add("ram", 16..<20, of: try guest.backing(.memfd, "ram", pages: 4))
        // begin twice, unmap twice, the host twice, map once.
        guest.log.start(failing: [7])
        let error = #expect(throws: RegionManagerError.self) {
            try guest.apply { $0.move(guest["ram"], to: GuestAddress(bytes(18))) }
        }
        #expect(
            guest.log.events == [
                "A begin", "B begin", "publish ", "A unmap 16..<20", "B unmap 16..<20", "host unmap 16..<20",
                "host map 18..<22", "publish 18..<22", "A map 18..<22", "B map 18..<22 fails",
                "A unmap 18..<22", "publish ", "host unmap 18..<22", "host map 16..<20", "B map 16..<20",
                "A map 16..<20", "publish 16..<20", "B end", "A end",
            ])
        let text = error.map { "\($0)" } ?? ""
        #expect(text.hasPrefix("cannot map "))
        #expect(text.hasSuffix("in partition \"B\": map was made to fail; everything is as it was before"))
    }

    @Test("A partition that cannot get ready is left alone, and nothing was touched")
    func unready() throws {
        let guest = try TestGuest(partitions: 2)
        try guest.add("ram", 16..<20, of: try guest.backing(.memfd, "ram", pages: 4))
        guest.log.start(failing: [1])
        #expect(throws: RegionManagerError.self) { try guest.apply { $0.unmap(guest["ram"]) } }
        #expect(guest.log.events == ["A begin", "B begin fails", "A end"])
    }

    @Test("Memory that stays at its place is protected in another way: devices always see it, and its pages stay")
    func protection() throws {
        let guest = try TestGuest()
        try guest.add("ram", 16..<20, of: try guest.backing(.anonymous, "ram", pages: 4))
        let (memory, losses) = (guest.manager.memory, SharedNumber())
        guest.partitions[0].onCall { _ in
            let word = try? memory.load(GuestAddress(bytes(17)), as: UInt64.self)
            if word != originalContents(of: "ram", 1) { losses.add(1) }
        }
        guest.log.start()
        try guest.apply { $0.map(guest["ram"], MapParameters(isWritable: false)) }
        // Devices lose the right before it is taken away,
        #expect(
            guest.log.events == [
                "A begin", "publish 16..<20", "A unmap 16..<20", "host protect 16..<20", "A map 16..<20", "A end",
            ])
        guest.log.start()
        try guest.apply { $0.map(guest["ram"]) }
        // and get it back once it is there.
        #expect(
            guest.log.events == [
                "A begin", "A unmap 16..<20", "host protect 16..<20", "publish 16..<20", "A map 16..<20", "A end",
            ])
        try guest.fill(17, with: originalContents(of: "ram", 1))
        #expect(losses.value == 0)
        #expect(try guest.complaints() == [])
    }

    @Test("Pages are provided once the processors run again, also those of a region that is mapped already")
    func prefetch() throws {
        let guest = try TestGuest()
        let ram = try RegionBacking(anonymous: "ram", byteCount: bytes(64))
        let (reservation, sizes) = (guest.manager.space.reservation, SharedNumber())
        func resident(_ frames: Range<UInt64>) throws -> Int {
            try reservation.residentByteCount(offset: bytes(frames.lowerBound), count: bytes(UInt64(frames.count)))
        }
        guest.partitions[0].onCall { call in
            guard call == "map" || call == "end" else { return }
            sizes.add(UInt64((try? reservation.residentByteCount(offset: bytes(16), count: bytes(16))) ?? 1))
        }
        try guest.add("ram", 16..<32, of: ram, MapParameters(prefetch: true))
        #expect(sizes.value == 0)
        #expect(try resident(16..<32) == 16 * 4096)
        try guest.add("more", 40..<48, of: ram, page: 16)
        #expect(try resident(40..<48) == 0)
        guest.log.start()
        try guest.apply { $0.map(guest["more"], MapParameters(prefetch: true)) }
        #expect(try resident(40..<48) == 8 * 4096)
        #expect(guest.log.stepCount == 0)
        // What was provided before is not asked for again.
        try reservation.decommit(offset: bytes(40), count: bytes(4))
        let rom = try guest.backing(.readOnlyFile, "rom", pages: 4)
        try guest.add("rom", 44..<48, priority: 1, of: rom)
        #expect(try resident(40..<44) == 0)
    }

    @Test("What makes no difference to the guest reaches nobody")
    func noDifference() throws {
        let guest = try TestGuest()
        let ram = try guest.backing(.anonymous, "ram", pages: 8)
        try guest.add("ram", 16..<20, priority: 1, of: ram)
        guest.log.start()
        let other = try guest.backing(.memfd, "other", pages: 4)
        guest.log.start()
        try guest.add("beneath", 16..<20, of: other)
        try guest.add("unmapped", 30..<34, of: ram, page: 4, nil)
        try guest.apply { $0.map(guest["ram"]) }
        #expect(guest.log.events == [])
    }

    @Test("A partition that comes late is shown all there is in one step, and one that goes loses it")
    func replay() throws {
        let guest = try TestGuest()
        try guest.add("low", 16..<20, of: try guest.backing(.memfd, "low", pages: 4))
        try guest.add("high", 20..<22, of: try guest.backing(.anonymous, "high", pages: 2))
        guest.log.start()
        let late = FakePartition("late", guest.log)
        try guest.inTurn { manager throws(RegionManagerError) in
            try manager.addPartition(late)
            // It is passed over.
            try manager.addPartition(late)
        }
        #expect(guest.log.events == ["late begin", "late map 16..<20, 20..<22", "late end"])
        #expect(late.pages == guest.partitions[0].pages)
        guest.log.start()
        try guest.apply { $0.unmap(guest["low"]) }
        #expect(late.pages == guest.partitions[0].pages && late.pages.count == 2)
        try guest.apply { $0.map(guest["low"]) }
        guest.log.start()
        try guest.inTurn { manager throws(RegionManagerError) in
            try manager.removePartition(late)
            try manager.removePartition(late)
        }
        #expect(guest.log.events == ["late begin", "late unmap 16..<22", "late end"])
        guest.log.start()
        try guest.apply { $0.unmap(guest["high"]) }
        #expect(!guest.log.events.contains { $0.hasPrefix("late") })
        #expect(try guest.complaints() == [] && late.complaints == [])
    }

    @Test(
        "A partition that cannot be shown the memory gets none; one that does not let go of it keeps it",
        arguments: [0, 1])
    func failedReplay(_ step: Int) throws {
        let guest = try TestGuest()
        try guest.add("ram", 16..<20, of: try guest.backing(.memfd, "ram", pages: 4))
        let late = FakePartition("late", guest.log)
        guest.log.start(failing: [step])
        #expect(throws: RegionManagerError.self) {
            try guest.inTurn { manager throws(RegionManagerError) in try manager.addPartition(late) }
        }
        #expect(late.pages.isEmpty)
        try guest.apply { $0.unmap(guest["ram"]) }
        try guest.apply { $0.map(guest["ram"]) }
        #expect(late.pages.isEmpty)
        guest.log.start(failing: [step])
        #expect(throws: RegionManagerError.self) {
            try guest.inTurn { [first = guest.partitions[0]] manager throws(RegionManagerError) in
                try manager.removePartition(first)
            }
        }
        try guest.apply { $0.move(guest["ram"], to: GuestAddress(bytes(40))) }
        #expect(guest.partitions[0].pages.keys.sorted() == [40, 41, 42, 43])
        #expect(try guest.complaints() == [] && late.complaints == [])
    }
}
