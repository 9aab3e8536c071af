import KVM
import SystemPackage
import TestSupport
import Testing
import VMAddressSpace
import VMMemory

@Suite(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)))
struct MemorySlotTests {
    private let memory = try! GuestMemory(anonymous: [MemoryRange(start: GuestAddress(0), count: 0x10_0000)])

    private func slot(_ start: UInt64, _ count: UInt64 = 0x1000) -> MemorySlot {
        var slot = memory.slot()
        slot.range = try! MemoryRange(start: GuestAddress(start), count: count)
        return slot
    }

    @Test func slotsAreAddedMovedRemovedAndTheirNumbersReused() throws {
        let vm = try KVMSystem().makeVirtualMachine()
        let first = try vm.addMemorySlot(slot(0))
        let second = try vm.addMemorySlot(slot(0x1000))
        #expect(first.rawValue == 0 && second.rawValue == 1)
        try vm.moveMemorySlot(first, to: GuestAddress(0x8000))
        #expect(vm.memorySlots.first?.slot.range.start == GuestAddress(0x8000))
        try vm.removeMemorySlot(first)
        #expect(vm.memorySlots.map(\.id) == [second])
        #expect(try vm.addMemorySlot(slot(0x8000)) == first)
    }

    @Test func aSlotOverAnotherIsRefusedAndNothingChanges() throws {
        let vm = try KVMSystem().makeVirtualMachine()
        let first = try vm.addMemorySlot(slot(0, 0x4000))
        #expect {
            try vm.addMemorySlot(slot(0x3000))
        } throws: { error in
            guard case .call(.setMemorySlot, .fileExists, _)? = error as? KVMError else { return false }
            return true
        }
        #expect(vm.memorySlots.map(\.id) == [first])
        #expect(try vm.addMemorySlot(slot(0x4000)).rawValue == 1)
    }

    @Test func memoryThatBeginsInAPageIsRefused() throws {
        let vm = try KVMSystem().makeVirtualMachine()
        var unaligned = slot(0)
        unaligned.hostAddress += 0x800
        #expect(throws: KVMError.self) { try vm.addMemorySlot(unaligned) }
        #expect(vm.memorySlots.isEmpty)
    }

    @Test func aSlotThatIsNotThereCannotBeRemovedMovedOrChanged() throws {
        let vm = try KVMSystem().makeVirtualMachine()
        let id = try vm.addMemorySlot(slot(0))
        try vm.removeMemorySlot(id)
        #expect(throws: KVMError.self) { try vm.removeMemorySlot(id) }
        #expect(throws: KVMError.self) { try vm.moveMemorySlot(id, to: GuestAddress(0x1000)) }
        #expect(throws: KVMError.self) { try vm.setMemorySlotFlags(id, .logDirtyPages) }
    }

    @Test(
        arguments: [(.max - 0xfff, "passes the last address"), (0x800, "not a multiple of 4 KiB")] as [(UInt64, String)]
    )
    func movingToWhereNoSlotCanBeThrowsAndKeepsTheSlot(_ address: UInt64, _ reason: String) throws {
        let vm = try KVMSystem().makeVirtualMachine()
        let id = try vm.addMemorySlot(slot(0, 0x2000))
        #expect {
            try vm.moveMemorySlot(id, to: GuestAddress(address))
        } throws: { error in
            guard case .call(.setMemorySlot, .invalidArgument, let about)? = error as? KVMError else { return false }
            return about.contains(reason)
        }
        #expect(vm.memorySlots.first?.slot.range.start == GuestAddress(0))
    }

    @Test func flagsChangeInPlace() throws {
        let vm = try KVMSystem().makeVirtualMachine()
        let id = try vm.addMemorySlot(slot(0))
        try vm.setMemorySlotFlags(id, .logDirtyPages)
        #expect(vm.memorySlots.first?.slot.flags == .logDirtyPages)
        try vm.setMemorySlotFlags(id, [])
        #expect(vm.memorySlots.first?.slot.flags == [])
    }

    @Test func hundredsOfSlotsComeAndGo() throws {
        let vm = try KVMSystem().makeVirtualMachine()
        for _ in 0..<2 {
            var ids: [MemorySlotID] = []
            for page in 0..<200 { ids.append(try vm.addMemorySlot(slot(UInt64(page) * 0x1000))) }
            #expect(Set(ids).count == 200 && ids.allSatisfy { $0.rawValue < 200 })
            for id in ids { try vm.removeMemorySlot(id) }
        }
        #expect(vm.memorySlots.isEmpty)
    }

    @Test func theGuestSeesWhatTheMonitorWrites() throws {
        // mov al, [0x2000]; out 0x10, al
        let bare = try BareVM(code: [0xa0, 0x00, 0x20, 0xe6, 0x10])
        try bare.memory.write([0x5a], at: GuestAddress(0x2000))
        guard case .portIO(let io) = try bare.vcpu.run() else {
            Issue.record("no port I/O")
            return
        }
        #expect(io.isWrite && io.port == 0x10 && io.value == 0x5a)
    }

    @Test func aWriteToAReadOnlySlotExitsAsMMIOAndLeavesTheMemoryAlone() throws {
        // mov byte [0x2000], 0x77; hlt
        let bare = try BareVM(code: [0xc6, 0x06, 0x00, 0x20, 0x77, 0xf4])
        guard bare.system.has(.readOnlyMemory) else { return }
        try bare.vm.removeMemorySlot(bare.slot)
        _ = try bare.vm.addMemorySlot(bare.memory.slot(flags: .readOnly))
        guard case .mmio(let access) = try bare.vcpu.run() else {
            Issue.record("no MMIO")
            return
        }
        #expect(access.isWrite && access.address == 0x2000 && access.value == 0x77 && access.size == 1)
        #expect(try bare.memory.read(GuestAddress(0x2000), count: 1) == [0])
    }

    @Test func theDirtyLogHasThePagesTheGuestWroteOnce() throws {
        // mov byte [0x2000], 0x77; mov byte [0x5fff], 0x77; hlt
        let bare = try BareVM(code: [0xc6, 0x06, 0x00, 0x20, 0x77, 0xc6, 0x06, 0xff, 0x5f, 0x77, 0xf4])
        try bare.vm.setMemorySlotFlags(bare.slot, .logDirtyPages)
        guard case .halt = try bare.vcpu.run() else {
            Issue.record("the guest did not run to its end")
            return
        }
        #expect(try dirtyLog(of: bare, room: 2) == [0b10_0100, .max])
        #expect(try dirtyLog(of: bare, room: 2) == [0, .max])
    }

    @Test func onlySlotsThatLogHaveALog() throws {
        let bare = try BareVM(code: [0xf4])
        #expect(throws: KVMError.self) { try dirtyLog(of: bare, room: 1) }
        try bare.vm.setMemorySlotFlags(bare.slot, .logDirtyPages)
        #expect(try dirtyLog(of: bare, room: 1) == [0])
        try bare.vm.removeMemorySlot(bare.slot)
        #expect {
            try dirtyLog(of: bare, room: 1)
        } throws: { error in
            guard case .call(.getDirtyLog, .noSuchFileOrDirectory, _)? = error as? KVMError else { return false }
            return true
        }
    }

    @Test func aBufferTooSmallForALogIsRefused() throws {
        let vm = try KVMSystem().makeVirtualMachine()
        var logging = slot(0, 65 * 0x1000)
        logging.flags = .logDirtyPages
        let id = try vm.addMemorySlot(logging)
        #expect(logging.dirtyLogWordCount == 2)
        var words: [UInt64] = [.max, .max]
        #expect {
            try words.withUnsafeMutableBufferPointer {
                try vm.getDirtyLog(id, into: UnsafeMutableBufferPointer(rebasing: $0.prefix(1)))
            }
        } throws: { error in
            guard case .call(.getDirtyLog, .invalidArgument, let about)? = error as? KVMError else { return false }
            return about.contains("2 words")
        }
        #expect(words == [.max, .max])
    }

    private func dirtyLog(of bare: borrowing BareVM, room: Int) throws(KVMError) -> [UInt64] {
        var words = [UInt64](repeating: .max, count: room)
        try words.withUnsafeMutableBufferPointer { (words) throws(KVMError) in
            try bare.vm.getDirtyLog(bare.slot, into: words)
        }
        return words
    }
}
