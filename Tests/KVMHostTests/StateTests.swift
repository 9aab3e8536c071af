import CKVM
import KVM
import SystemPackage
import TestSupport
import Testing

/// What is set reads back: everything that save and restore will need.
@Suite(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)))
struct StateTests {
    @Test func generalAndSpecialRegisters() throws {
        let bare = try BareVM(code: [0xf4])
        var registers = try bare.vcpu.generalRegisters()
        registers.r15 = 0x0123_4567_89ab_cdef
        try bare.vcpu.setGeneralRegisters(registers)
        #expect(try bare.vcpu.generalRegisters().r15 == 0x0123_4567_89ab_cdef)
        var special = try bare.vcpu.specialRegisters()
        special.gdt.base = 0x5000
        special.gdt.limit = 0x2f
        special.cr2 = 0xdead_0000
        try bare.vcpu.setSpecialRegisters(special)
        let read = try bare.vcpu.specialRegisters()
        #expect(read.gdt.base == 0x5000 && read.gdt.limit == 0x2f && read.cr2 == 0xdead_0000)
    }

    @Test func floatingPointAndExtendedState() throws {
        let bare = try BareVM(code: [0xf4])
        var fpu = try bare.vcpu.fpu()
        fpu.xmm.3.5 = 0x77
        fpu.mxcsr = 0x1f80
        try bare.vcpu.setFPU(fpu)
        #expect(try bare.vcpu.fpu().xmm.3.5 == 0x77)
        guard bare.system.has(.xsave) else { return }
        var area = try bare.vcpu.xsave()
        #expect(area.count >= 4096)
        // The XMM registers are at byte 160 of the area, 16 bytes each; XSTATE_BV at 512 says that they are there.
        area[512] |= 2
        area[160 + 3 * 16 + 5] = 0x66
        try bare.vcpu.setXSAVE(area)
        #expect(try bare.vcpu.fpu().xmm.3.5 == 0x66)
        #expect(throws: KVMError.self) { try bare.vcpu.setXSAVE([0]) }
    }

    @Test func extendedControlAndDebugRegistersAndEvents() throws {
        let bare = try BareVM(code: [0xf4])
        if bare.system.has(.xcrs) {
            let xcrs = try bare.vcpu.extendedControlRegisters()
            #expect(xcrs.nr_xcrs >= 1)
            try bare.vcpu.setExtendedControlRegisters(xcrs)
        }
        if bare.system.has(.debugRegisters) {
            var debug = try bare.vcpu.debugRegisters()
            debug.db.1 = 0x1234
            try bare.vcpu.setDebugRegisters(debug)
            #expect(try bare.vcpu.debugRegisters().db.1 == 0x1234)
        }
        let events = try bare.vcpu.events()
        #expect(events.exception.injected == 0)
        try bare.vcpu.setEvents(events)
    }

    @Test func localAPICAndMPState() throws {
        let bare = try BareVM(code: [0xf4], irqchip: true)
        #expect(try bare.vcpu.mpState() == .runnable)
        try bare.vcpu.setMPState(.halted)
        #expect(try bare.vcpu.mpState() == .halted)
        let application = try bare.vm.makeVCPU(id: 1)
        #expect(try application.mpState() == .uninitialized)
        var lapic = try bare.vcpu.lapic()
        #expect(lapic.count == 1024)
        // The task priority register.
        lapic[0x80] = 0x20
        try bare.vcpu.setLAPIC(lapic)
        #expect(try bare.vcpu.lapic()[0x80] == 0x20)
        #expect(throws: KVMError.self) { try bare.vcpu.setLAPIC([]) }
    }

    @Test func modelSpecificRegisters() throws {
        let bare = try BareVM(code: [0xf4])
        let sysenterCS: UInt32 = 0x174
        let sysenterESP: UInt32 = 0x175
        try bare.vcpu.setMSRs([
            MSREntry(index: sysenterCS, reserved: 0, data: 0x10),
            MSREntry(index: sysenterESP, reserved: 0, data: 0x8000),
        ])
        #expect(try bare.vcpu.msrs([sysenterESP, sysenterCS]).map(\.data) == [0x8000, 0x10])
        #expect {
            try bare.vcpu.msrs([sysenterCS, 0xdead_0001, sysenterESP])
        } throws: { error in
            "\(error)".contains("MSR 0xdead0001")
        }
    }

    @Test func theSavedModelSpecificRegistersCanMostlyBeRead() throws {
        let bare = try BareVM(code: [0xf4], irqchip: true)
        try bare.vcpu.setCPUID(try bare.system.supportedCPUID())
        let indices = try bare.system.savedMSRIndices()
        #expect(indices.count > 10)
        #expect(indices.contains(0x174))
        let readable = indices.filter { (try? bare.vcpu.msrs([$0])) != nil }
        #expect(readable.count > indices.count / 2)
    }

    @Test func cpuid() throws {
        let bare = try BareVM(code: [0xf4])
        let supported = try bare.system.supportedCPUID()
        #expect(supported.vendor.count == 12)
        #expect((32...63).contains(supported.physicalAddressBits))
        let adapted = supported.adapted(to: CPUTopology(id: 0, count: 1), hasLocalAPIC: false)
        try bare.vcpu.setCPUID(adapted)
        #expect(try bare.vcpu.cpuid().count == adapted.count)
    }

    @Test func theClock() throws {
        let system = try KVMSystem()
        guard system.has(.adjustClock) else { return }
        let vm = try system.makeVirtualMachine()
        var clock = VMClock()
        clock.clock = 1_000_000_000_000
        try vm.setClock(clock)
        let later = try vm.clock().clock
        #expect(later >= 1_000_000_000_000 && later < 2_000_000_000_000)
    }

    @Test func theTimeStampCounterHasAFrequency() throws {
        let bare = try BareVM(code: [0xf4])
        guard bare.system.has(.tscFrequency) else { return }
        #expect(try bare.vcpu.tscKilohertz() > 100_000)
    }

    @Test func interruptControllersCanBeWholeOrSplit() throws {
        let system = try KVMSystem()
        if system.has(.splitIRQChip) {
            let vm = try system.makeVirtualMachine()
            try vm.createSplitIRQChip(pins: 24)
            try vm.setInterruptRoutes([.message(gsi: 4, address: 0xfee0_0000, data: 0x31)])
            // Nobody has enabled a local APIC yet, so nobody takes the message.
            #expect((try? vm.signalMSI(address: 0xfee0_0000, data: 0x31)) != true)
        }
        let vm = try system.makeVirtualMachine()
        try vm.createIRQChip()
        try vm.setIRQLine(4, level: true)
        try vm.setIRQLine(4, level: false)
        if system.has(.pit) { try vm.createPIT() }
        #expect(throws: KVMError.self) { try vm.createIRQChip() }
    }
}
