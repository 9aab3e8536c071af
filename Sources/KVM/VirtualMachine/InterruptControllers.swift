import CKVM

/// The vCPU clock that `kvmclock` guests read, and where it stood at what host time.
public typealias VMClock = kvm_clock_data

/// One entry of the table from interrupt lines (GSIs) to pins and messages.
public typealias InterruptRoute = kvm_irq_routing_entry

/// One of the interrupt controllers of a PC, in the kernel.
public enum IRQChip: UInt32, CaseIterable, Hashable, Sendable {
    case masterPIC = 0
    case slavePIC = 1
    case ioapic = 2
}

extension kvm_irqchip {
    fileprivate init(chip: IRQChip) {
        self.init()
        chip_id = chip.rawValue
    }
}

extension VirtualMachine {
    /// Creates two 8259 PICs, an I/O APIC, and with each vCPU a local APIC, all in the kernel. Must come before the
    /// first vCPU, and after the memory slots (on some hosts each slot added later costs milliseconds).
    public func createIRQChip() throws(KVMError) {
        try descriptor.call(.createIRQChip, CKVM_CREATE_IRQCHIP)
    }

    /// Leaves only the local APICs to the kernel; the I/O APIC of `pins` inputs (and a PIC, if any) are the
    /// caller's. Must come before the first vCPU. Needs `Capability.splitIRQChip`.
    public func createSplitIRQChip(pins: Int) throws(KVMError) {
        try enable(.splitIRQChip, argument: UInt64(pins))
    }

    /// Creates an 8254 timer in the kernel. Needs `createIRQChip` before it, and `Capability.pit`.
    public func createPIT() throws(KVMError) {
        var configuration = kvm_pit_config()
        // A port 0x61 that answers, so that a guest calibrating its TSC by the speaker gate finishes.
        configuration.flags = UInt32(KVM_PIT_SPEAKER_DUMMY)
        try descriptor.set(.createPIT, CKVM_CREATE_PIT2, configuration)
    }

    /// The state of one of the interrupt controllers that `createIRQChip` made, 512 bytes.
    public func irqchip(_ chip: IRQChip) throws(KVMError) -> [UInt8] {
        let state = try descriptor.get(
            .getIRQChip, CKVM_GET_IRQCHIP, zero: kvm_irqchip(chip: chip), about: "\(chip)")
        return withUnsafeBytes(of: state.chip) { Array($0) }
    }

    /// - Parameter state: what `irqchip(_:)` gave, perhaps elsewhere. Of fewer bytes, the rest is zero.
    public func setIRQChip(_ chip: IRQChip, _ bytes: [UInt8]) throws(KVMError) {
        var state = kvm_irqchip(chip: chip)
        withUnsafeMutableBytes(of: &state.chip) { $0.copyBytes(from: bytes.prefix($0.count)) }
        try descriptor.set(.setIRQChip, CKVM_SET_IRQCHIP, state, about: "\(chip)")
    }

    /// The state of the timer that `createPIT` made.
    public func pit() throws(KVMError) -> [UInt8] {
        let state = try descriptor.get(.getPIT, CKVM_GET_PIT2, zero: kvm_pit_state2())
        return withUnsafeBytes(of: state) { Array($0) }
    }

    /// - Parameter state: what `pit()` gave, perhaps elsewhere. Of fewer bytes, the rest is zero.
    public func setPIT(_ bytes: [UInt8]) throws(KVMError) {
        var state = kvm_pit_state2()
        withUnsafeMutableBytes(of: &state) { $0.copyBytes(from: bytes.prefix($0.count)) }
        try descriptor.set(.setPIT, CKVM_SET_PIT2, state)
    }

    /// Sets the level of an input of the in-kernel interrupt controllers: GSI 0...15 reach both the PICs and the
    /// I/O APIC, 16...23 the I/O APIC alone.
    public func setIRQLine(_ gsi: UInt32, level: Bool) throws(KVMError) {
        var line = kvm_irq_level()
        line.irq = gsi
        line.level = level ? 1 : 0
        try descriptor.set(.setIRQLine, CKVM_IRQ_LINE, line, about: "GSI \(gsi)")
    }

    /// Delivers an interrupt message to the local APICs.
    /// - Returns: whether any took it; false where the guest has blocked it.
    @discardableResult
    public func signalMSI(address: UInt64, data: UInt32) throws(KVMError) -> Bool {
        var message = kvm_msi()
        message.address_lo = UInt32(truncatingIfNeeded: address)
        message.address_hi = UInt32(truncatingIfNeeded: address >> 32)
        message.data = data
        return try withUnsafeMutablePointer(to: &message) { (pointer) throws(KVMError) in
            try descriptor.call(.signalMSI, CKVM_SIGNAL_MSI, pointer)
        } > 0
    }

    /// Replaces the whole table of interrupt routes. With a split irqchip, the routes tell the kernel which
    /// vectors' ends of interrupt to report (`VMExit.ioapicEndOfInterrupt`).
    public func setInterruptRoutes(_ routes: [InterruptRoute]) throws(KVMError) {
        let buffer = FlexibleArray<kvm_irq_routing, InterruptRoute>(header: kvm_irq_routing(), elements: routes)
        buffer.pointer.pointee.nr = UInt32(clamping: routes.count)
        try descriptor.call(.setGSIRouting, CKVM_SET_GSI_ROUTING, buffer.pointer, about: "\(routes.count) routes")
    }

    /// Needs `Capability.adjustClock`.
    public func clock() throws(KVMError) -> VMClock {
        try descriptor.get(.getClock, CKVM_GET_CLOCK, zero: VMClock())
    }

    /// Sets the clock that guests read on. Needs `Capability.adjustClock`.
    public func setClock(_ clock: VMClock) throws(KVMError) {
        try descriptor.set(.setClock, CKVM_SET_CLOCK, clock)
    }
}

extension InterruptRoute {
    /// A route from a line to a message for the local APICs.
    public static func message(gsi: UInt32, address: UInt64, data: UInt32) -> InterruptRoute {
        var route = InterruptRoute()
        route.gsi = gsi
        route.type = UInt32(KVM_IRQ_ROUTING_MSI)
        route.u.msi.address_lo = UInt32(truncatingIfNeeded: address)
        route.u.msi.address_hi = UInt32(truncatingIfNeeded: address >> 32)
        route.u.msi.data = data
        return route
    }
}
