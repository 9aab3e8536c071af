import TestSupport
import Testing
import VMAddressSpace
import VMMemory
import VMRegions

@testable import VMMachine

/// Changes of regions while two vCPUs run.
@Suite(
    .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    // Its guests never sleep: each takes a processor.
    .serialized, .timeLimit(.minutes(10)))
struct TwoProcessorsTests {
    private func range(_ start: UInt64, _ count: UInt64) throws -> MemoryRange {
        try MemoryRange(start: GuestAddress(start), count: count)
    }

    @Test(
        "A region that moves is seen at the one place or at the other by each processor",
        arguments: [MachineConfiguration.IRQChip.split, .full])
    func move(_ irqchip: MachineConfiguration.IRQChip) async throws {
        let guest = try TwoProcessors(
            irqchip,
            [
                0xb8, 0x00, 0x20,  // mov ax, 0x2000
                0x8e, 0xd8,  // mov ds, ax
                0x31, 0xdb,  // xor bx, bx
                0x80, 0x3f, 0x5a,  // again: cmp byte [bx], 0x5a
                0x74, 0xfb,  // je again
                0x81, 0xc3, 0x00, 0x10,  // add bx, 0x1000: what has gone from here must be there
                0x80, 0x3f, 0x5a,  // cmp byte [bx], 0x5a
                0x75, 0x07,  // jne bad
                0x36, 0x88, 0xbd, 0x00, 0x05,  // mov ss:[di + 0x500], bh
                0xeb, 0xeb,  // jmp again
                0xb0, 0x01, 0xe6, 0xf4,  // bad: mov al, 1; out 0xf4, al
            ])
        let page = try guest.machine.addRAM("page", at: range(TwoProcessors.segment, 0x1000))
        try guest.machine.memory.store(UInt8(0x5a), at: GuestAddress(TwoProcessors.segment))
        try guest.machine.start()
        // Around the segment's end, where BX wraps.
        for place in 1...20 as ClosedRange<UInt64> {
            try await page.move(to: GuestAddress(TwoProcessors.segment + (place % 16) << 12))
            try #require(try await guest.wait { $0 == UInt32((place % 16) << 4) }, "after \(place) moves")
        }
        guest.machine.stop()
        guard case .stopped = guest.machine.wait().outcome else {
            Issue.record("a processor saw it nowhere")
            return
        }
    }

    @Test(
        "Beside a ROM that comes and goes nothing is missing for either processor, and no write from the log",
        arguments: [MachineConfiguration.IRQChip.split, .full])
    func overlayWithLog(_ irqchip: MachineConfiguration.IRQChip) async throws {
        let guest = try TwoProcessors(
            irqchip,
            [
                0xb8, 0x00, 0x20,  // mov ax, 0x2000
                0x8e, 0xd8,  // mov ds, ax
                0x80, 0x3e, 0x00, 0x30, 0x5a,  // again: cmp byte [0x3000], 0x5a
                0x75, 0x0b,  // jne bad
                0x66, 0xff, 0x04,  // inc dword [si]
                0x66, 0x36, 0xff, 0x85, 0x00, 0x05,  // inc dword ss:[di + 0x500]
                0xeb, 0xee,  // jmp again
                0xb0, 0x01, 0xe6, 0xf4,  // bad: mov al, 1; out 0xf4, al
            ])
        let machine = guest.machine
        let backing = try RegionBacking(memfd: "working set", byteCount: 0x1_0000)
        let set = try await machine.regions.addRegion("working set", range(TwoProcessors.segment, 0x1_0000))
        try await set.addMapping(of: backing, count: 0x1_0000)
        try await set.map()
        try machine.memory.store(UInt8(0x5a), at: GuestAddress(TwoProcessors.segment + 0x3000))
        let rom = try await machine.regions.addRegion(
            "rom", range(TwoProcessors.segment + 0x8000, 0x1000), priority: 1)
        try await rom.addMapping(of: try RegionBacking(memfd: "rom", byteCount: 0x1000), count: 0x1000)
        try machine.dirtyTracker.start()
        backing.bitmap.clear()
        try machine.start()
        for _ in 0..<5 {
            try await rom.map(MapParameters(isWritable: false))
            // Twice: what a processor says first can be of a write from before the log was last read.
            for _ in 0..<2 {
                let before = try guest.said
                try #require(
                    try await guest.wait { said in !before.contains(said) },
                    "a processor missed memory, or stands still")
            }
            // What was written before is in the log of the slot that goes now.
            try await rom.unmap()
            #expect(backing.bitmap.isDirty(page: 0) && backing.bitmap.isDirty(page: 1))
            #expect(backing.bitmap.dirtyPageCount() == 2)
            backing.bitmap.clear()
        }
        #expect(machine.partition.slots.count == 2)
        machine.stop()
        guard case .stopped = machine.wait().outcome else {
            Issue.record("a processor missed memory")
            return
        }
    }
}
