import TestSupport
import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

@testable import VMMachine

@Suite(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .timeLimit(.minutes(10)))
struct GuestRAMTests {
    @Test func `what the loader has written is marked as written, and little else`() throws {
        let machine = try makeMachine("hello") { $0.memory = ByteSize(bytes: 4 << 20) }
        let region = try #require(machine.memory.regionMap.regions.first as? MemoryRegion<AtomicBitmap.Slice>)
        var unmarked: [UInt64] = []
        for page in region.range.frames {
            let bytes = try machine.memory.read(GuestAddress(page << 12), count: 4096)
            if bytes.contains(where: { $0 != 0 }), !region.isDirty(at: page << 12) { unmarked.append(page) }
        }
        #expect(unmarked.isEmpty)
        #expect((8...64).contains(region.bitmap.bitmap.dirtyPageCount()))
    }

    @Test func `RAM above 3 GiB goes on above the hole for devices`() throws {
        let machine = try makeMachine("hello") { $0.memory = ByteSize(bytes: 5 << 30) }
        let gibibyte: UInt64 = 1 << 30
        #expect(
            machine.memory.regionMap.ranges == [
                try MemoryRange(start: GuestAddress(0), count: 3 * gibibyte),
                try MemoryRange(start: GuestAddress(4 * gibibyte), count: 2 * gibibyte),
            ])
        #expect(machine.guest.shared.vm.memorySlots.map(\.slot.range) == machine.memory.regionMap.ranges)
        try machine.memory.store(UInt64(42), at: GuestAddress(6 * gibibyte - 8))
        #expect(try machine.memory.load(GuestAddress(6 * gibibyte - 8), as: UInt64.self) == 42)
        guard case .halted = try machine.run().outcome else {
            Issue.record("the guest did not run to its end")
            return
        }
    }
}
