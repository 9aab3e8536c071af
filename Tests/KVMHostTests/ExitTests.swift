import CKVM
import KVM
import TestSupport
import Testing
import VMAddressSpace

@Suite(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)))
struct ExitTests {
    @Test func portReadsGetTheMonitorsAnswer() throws {
        // in al, 0x20; out 0x21, al
        let bare = try BareVM(code: [0xe4, 0x20, 0xe6, 0x21])
        guard case .portIO(let input) = try bare.vcpu.run() else {
            Issue.record("no port read")
            return
        }
        #expect(!input.isWrite && input.port == 0x20 && input.size == 1)
        input.value = 0xa5
        guard case .portIO(let output) = try bare.vcpu.run() else {
            Issue.record("no port write")
            return
        }
        #expect(output.value == 0xa5)
    }

    @Test func mmioReadsGetTheMonitorsAnswer() throws {
        // mov ax, 0xf000; mov ds, ax; mov al, [0x10] (0xf0010: no memory there); out 0x21, al
        let bare = try BareVM(code: [0xb8, 0x00, 0xf0, 0x8e, 0xd8, 0xa0, 0x10, 0x00, 0xe6, 0x21])
        guard case .mmio(let access) = try bare.vcpu.run() else {
            Issue.record("no MMIO")
            return
        }
        #expect(!access.isWrite && access.address == 0xf0010 && access.size == 1)
        access.value = 0x3c
        guard case .portIO(let output) = try bare.vcpu.run() else {
            Issue.record("no port write")
            return
        }
        #expect(output.value == 0x3c)
    }

    @Test func haltExitsWithoutAnInterruptController() throws {
        let bare = try BareVM(code: [0xf4])
        guard case .halt = try bare.vcpu.run() else {
            Issue.record("no halt")
            return
        }
    }

    @Test func aTripleFaultIsAShutdown() throws {
        // ud2, in 32-bit protected mode without any interrupt table
        let bare = try BareVM(code: [0x0f, 0x0b])
        var special = try bare.vcpu.specialRegisters()
        special.cr0 |= 1
        for segment in [\kvm_sregs.cs, \.ds, \.es, \.ss] {
            special[keyPath: segment].limit = .max
            special[keyPath: segment].db = 1
            special[keyPath: segment].g = 1
        }
        special.idt.limit = 0
        try bare.vcpu.setSpecialRegisters(special)
        guard case .shutdown = try bare.vcpu.run() else {
            Issue.record("no shutdown")
            return
        }
    }

    @Test func aRequestedExitComesBeforeTheFirstInstruction() throws {
        let bare = try BareVM(code: [0xf4])
        bare.vcpu.requestExit()
        for _ in 0..<2 {
            guard case .interrupted = try bare.vcpu.run() else {
                Issue.record("the request was not honoured")
                return
            }
        }
        bare.vcpu.clearExitRequest()
        guard case .halt = try bare.vcpu.run() else {
            Issue.record("the guest did not go on")
            return
        }
    }

    @Test func theInstructionPointerOfAnExitNeedsNoCall() throws {
        let bare = try BareVM(code: [0xe6, 0x10, 0xf4])
        guard bare.system.has(.syncRegisters) else { return }
        _ = try bare.vcpu.run()
        _ = try bare.vcpu.run()
        let synced = bare.vcpu.syncedInstructionPointer
        let read = try bare.vcpu.generalRegisters().rip
        #expect(synced == read)
    }

    @Test func anInjectedInterruptIsTakenThroughTheVectorTable() throws {
        // sti; nop; a loop; and the handler at 0x1100: out 0x10, al; hlt
        let bare = try BareVM(code: [0xfb, 0x90, 0xeb, 0xfe])
        try bare.memory.write([0xe6, 0x10, 0xf4], at: GuestAddress(0x1100))
        try bare.memory.write([0x00, 0x11, 0x00, 0x00], at: GuestAddress(0x40 * 4))
        var registers = try bare.vcpu.generalRegisters()
        registers.rsp = 0x800
        try bare.vcpu.setGeneralRegisters(registers)
        bare.vcpu.setInterruptWindowRequested(true)
        guard case .interruptWindowOpen = try bare.vcpu.run() else {
            Issue.record("no interrupt window")
            return
        }
        let isReady = bare.vcpu.isReadyForInterrupt
        #expect(isReady)
        bare.vcpu.setInterruptWindowRequested(false)
        try bare.vcpu.injectInterrupt(vector: 0x40)
        guard case .portIO(let io) = try bare.vcpu.run(), io.port == 0x10 else {
            Issue.record("the handler did not run")
            return
        }
    }
}
