import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMMemory
import VMRegions

@testable import VMMachine

/// Changes of the regions of a machine while its guest runs, seen by the guest.
@Suite(
    .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    // Its guests never sleep: each takes a processor.
    .serialized, .timeLimit(.minutes(10)))
struct RegionTests {
    /// What reads give where there is nothing.
    private static let nothing = UInt64.max

    private func range(_ start: UInt64, _ count: UInt64) throws -> MemoryRange {
        try MemoryRange(start: GuestAddress(start), count: count)
    }

    /// A region with a memfd whose pages hold `value` plus their offset, as the guest's `fill` leaves them.
    private func makeROM(
        _ machine: Machine, at start: UInt64, _ count: UInt64, value: UInt64
    ) async throws -> RegionHandle {
        let backing = try RegionBacking(memfd: "rom", byteCount: count)
        let mapping = try backing.mapping()
        for offset in stride(from: 0, to: count, by: 4096) {
            mapping.baseAddress.storeBytes(of: value + offset, toByteOffset: Int(offset), as: UInt64.self)
        }
        let region = try await machine.regions.addRegion("rom", range(start, count), priority: 1)
        try await region.addMapping(of: backing, count: count, isWritable: false)
        return region
    }

    @Test("RAM that is added while the guest runs is there at once, and gone at once when it is taken away")
    func hotAdd() async throws {
        let guest = try await PeekSession()
        let start: UInt64 = 0x4000_0000
        #expect(try await guest.read(start) == Self.nothing)
        let added = try guest.machine.addRAM(at: range(start, 16 << 20))
        #expect(try await guest.read(start) == 0)
        #expect(try await guest.ask("fill \(start) 16M 0x1234") == "done")
        #expect(try await guest.ask("check \(start) 16M 0x1234") == "good")
        #expect(try guest.machine.memory.load(GuestAddress(start + 4096), as: UInt64.self) == 0x1234 + 4096)
        try await added.teardown()
        #expect(try await guest.read(start) == Self.nothing)
        #expect(throws: GuestMemoryError.self) {
            try guest.machine.memory.load(GuestAddress(start), as: UInt64.self)
        }
        guard case .poweredOff = guest.end().outcome else {
            Issue.record("the guest did not end as it was told")
            return
        }
    }

    @Test(
        "A ROM over RAM hides it and gives it back untouched",
        arguments: [MachineConfiguration.IRQChip.none, .split, .full])
    func romOverRAM(_ irqchip: MachineConfiguration.IRQChip) async throws {
        let guest = try await PeekSession { $0.irqchip = irqchip }
        let start: UInt64 = 0x40_0000
        #expect(try await guest.ask("fill \(start) 256K 0x7000") == "done")
        let rom = try await makeROM(guest.machine, at: start + 0x1_0000, 0x1_0000, value: 0x9000)
        for _ in 0..<3 {
            try await rom.map(MapParameters(isWritable: false))
            #expect(try await guest.ask("check \(start + 0x1_0000) 64K 0x9000") == "good")
            #expect(try await guest.ask("check \(start) 64K 0x7000") == "good")
            #expect(try await guest.ask("check \(start + 0x2_0000) 128K \(0x7000 + 0x2_0000)") == "good")
            // What the guest writes there goes nowhere.
            #expect(try await guest.ask("write \(start + 0x1_0000) 1") == "done")
            #expect(try await guest.read(start + 0x1_0000) == 0x9000)
            try await rom.unmap()
            #expect(try await guest.ask("check \(start) 256K 0x7000") == "good")
        }
        #expect(guest.machine.partition.slots.count == 1)
        _ = guest.end()
    }

    @Test("What a guest writes to a region that is mapped read-only exits, and changes nothing until it is writable")
    func readOnly() async throws {
        let guest = try await PeekSession()
        let start: UInt64 = 0x4000_0000
        let backing = try RegionBacking(anonymous: "variables", byteCount: 0x4000)
        let region = try await guest.machine.regions.addRegion("variables", range(start, 0x4000))
        try await region.addMapping(of: backing, count: 0x4000)
        try await region.map()
        #expect(try await guest.ask("fill \(start) 16K 0x5000") == "done")
        try await region.map(MapParameters(isWritable: false))
        #expect(try await guest.ask("fill \(start) 16K 0x6000") == "done")
        #expect(try await guest.ask("check \(start) 16K 0x5000") == "good")
        #expect(throws: GuestMemoryError.self) {
            try guest.machine.memory.store(UInt64(1), at: GuestAddress(start))
        }
        try await region.map()
        #expect(try await guest.ask("fill \(start) 16K 0x6000") == "done")
        #expect(try await guest.ask("check \(start) 16K 0x6000") == "good")
        let result = guest.end()
        #expect(result.exits.first { $0.kind == "mmioWrite" }?.count == 4)
        #expect(result.unclaimedPages.map(\.writes) == [1, 1, 1, 1])
    }

    @Test("A region that moves takes its memory along, also over the place where it was")
    func move() async throws {
        let guest = try await PeekSession()
        let starts: [UInt64] = [0x5000_0000, 0x6000_0000, 0x6000_8000, 0x5fff_c000]
        let bar = try guest.machine.addRAM("bar", at: range(starts[0], 0x1_0000))
        #expect(try await guest.ask("fill \(starts[0]) 64K 0xba00") == "done")
        for (old, new) in zip(starts, starts.dropFirst()) {
            try await bar.move(to: GuestAddress(new))
            #expect(try await guest.ask("check \(new) 64K 0xba00") == "good")
            let left = old < new ? old : old + 0xf000
            if !(new..<new + 0x1_0000).contains(left) { #expect(try await guest.read(left) == Self.nothing) }
        }
        _ = guest.end()
    }

    @Test("Hundreds of regions come and go under a guest that uses the memory beside them, and leave nothing behind")
    func cycles() async throws {
        // In a process of its own, so that what is counted is this test's.
        await #expect(processExitsWith: .success) {
            let guest = try await PeekSession()
            #expect(try await guest.ask("churn 0x400000 64K") == "done")
            let rom = try await RegionTests().makeROM(guest.machine, at: 0x41_0000, 0x1_0000, value: 1)
            func cycle(_ index: UInt64) async throws {
                let range = try MemoryRange(
                    start: GuestAddress(0x4000_0000 + (index % 7) * 0x10_0000), count: 0x10_0000)
                let added = try guest.machine.addRAM(at: range)
                // The slot of the memory that the guest is at is split, and made one again.
                try await rom.map(MapParameters(isWritable: false))
                try await added.move(to: GuestAddress(0x5000_0000))
                try await rom.unmap()
                try await added.teardown()
            }
            // What is made only once is made now.
            for index in 0..<20 { try await cycle(UInt64(index)) }
            let before = Footprint()
            for index in 0..<300 { try await cycle(UInt64(index)) }
            let after = Footprint()
            #expect(after.descriptors == before.descriptors)
            // The allocator may take some more.
            #expect(after.mappings < before.mappings + 10)
            #expect(guest.machine.partition.slots.map(\.id.rawValue) == [0])
            let answer = try await guest.ask("stop")
            #expect(answer.hasSuffix(" 0 errors") && !answer.hasPrefix("0 "), "\(answer)")
            guard case .poweredOff = guest.end().outcome else { exit(EXIT_FAILURE) }
        }
    }

    @Test("A ROM of the configuration is there from the start, over RAM")
    func configuredROM() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.file(
            "rom", [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08] + [UInt8](repeating: 7, count: 5000))
        let guest = try await PeekSession { configuration in
            configuration.irqchip = .none
            configuration.roms = [.init(path: path, address: HexAddress(GuestAddress(0xf_0000)))]
        }
        #expect(try await guest.read(0xf_0000) == 0x0877_6655_4433_2211)
        #expect(try await guest.read(0xf_1ff8) == 0)
        #expect(try await guest.read(0xf_2000) == 0)
        #expect(try await guest.ask("write 0xf0000 1") == "done")
        #expect(try await guest.read(0xf_0000) == 0x0877_6655_4433_2211)
        let inspection = try guest.machine.regions.withTurn { $0.inspect() }
        #expect(inspection.regions.map(\.name) == ["ram", "rom rom"])
        _ = guest.end()
    }
}

/// What a process has of the kernel's.
private struct Footprint {
    let descriptors: Int
    let mappings: Int

    init() {
        var descriptors = 0
        if let folder = opendir("/proc/self/fd") {
            while readdir(folder) != nil { descriptors += 1 }
            closedir(folder)
        }
        var mappings = 0
        if let file = fopen("/proc/self/maps", "r") {
            while case let character = getc(file), character != EOF { mappings += character == 10 ? 1 : 0 }
            fclose(file)
        }
        self.descriptors = descriptors
        self.mappings = mappings
    }
}
