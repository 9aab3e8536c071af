import KVM
import SystemPackage
import VMState

/// The state of a vCPU, read from records and checked as far as that is possible without the kernel.
struct RestoredVCPU {
    let general: SavedGeneralRegisters
    let special: SavedSpecialRegisters
    let xsave: SavedXSAVE?
    let fpu: SavedFPU?
    let xcrs: SavedXCRs?
    let debug: SavedDebugRegisters?
    let mp: SavedMPState
    let events: SavedEvents
    let lapic: SavedLAPIC?
    let msrs: SavedMSRs

    init(_ state: MachineState, _ index: Int, hasLocalAPIC: Bool) throws(StateError) {
        general = try state.part(SavedGeneralRegisters.self, index)
        special = try state.part(SavedSpecialRegisters.self, index)
        if let use = NestedUse(cr4: special.value.cr4, efer: special.value.efer) {
            throw StateError(
                special.record(index),
                .value(field: use == .vmx ? "cr4" : "efer", "has nested virtualization on, whose state is not here"))
        }
        xsave = try state.partIfPresent(SavedXSAVE.self, index)
        fpu = xsave == nil ? try state.part(SavedFPU.self, index) : nil
        xcrs = try state.partIfPresent(SavedXCRs.self, index)
        debug = try state.partIfPresent(SavedDebugRegisters.self, index)
        mp = try state.part(SavedMPState.self, index)
        events = try state.part(SavedEvents.self, index)
        lapic = hasLocalAPIC ? try state.part(SavedLAPIC.self, index) : nil
        msrs = try state.part(SavedMSRs.self, index)
    }
}

extension VCPU {
    /// Sets its state while it does not run. What it is made of depends on what was set before: the mode (control registers,
    /// EFER) on nothing, extended state on XCR0, the timer's deadline on the local APIC's mode.
    borrowing func restore(_ saved: RestoredVCPU, _ support: StateSupport) throws(KVMError) {
        try setSpecialRegisters(saved.special.value)
        try restorePageDirectoryPointers(saved.special.pageDirectoryPointers, support)
        if let xcrs = saved.xcrs, support.hasXCRs { try setExtendedControlRegisters(xcrs.value) }
        if let xsave = saved.xsave {
            guard let area = xsave.resized(to: xsaveSize) else {
                throw .call(
                    .setXSAVE, .invalidArgument,
                    about: "vCPU \(id), extended state that this host's processor does not have")
            }
            try setXSAVE(area)
        } else if let fpu = saved.fpu {
            try setFPU(fpu.value)
        }
        if let debug = saved.debug, support.hasDebugRegisters { try setDebugRegisters(debug.value) }
        if let lapic = saved.lapic { try setLAPIC(lapic.registers) }
        try restoreMSRs(saved.msrs.entries)
        try setGeneralRegisters(saved.general.value)
        try setMPState(saved.mp.value)
        try setEvents(saved.events.value)
    }

    private borrowing func restorePageDirectoryPointers(
        _ pointers: [UInt64], _ support: StateSupport
    ) throws(KVMError) {
        guard pointers.count == 4, support.hasSpecialRegisters2 else { return }
        var special = try specialRegisters2()
        special.flags |= SpecialRegisters2.hasPageDirectoryPointers
        special.pdptrs = (pointers[0], pointers[1], pointers[2], pointers[3])
        try setSpecialRegisters2(special)
    }

    /// Sets all of them. Hosts refuse to set some that they list, even to what they are: those only have to be it.
    private borrowing func restoreMSRs(_ entries: [MSREntry]) throws(KVMError) {
        var rest = entries[...]
        while !rest.isEmpty {
            let refused = rest.count - (try setMSRs(prefixOf: Array(rest)))
            guard refused > 0 else { return }
            let entry = rest[rest.endIndex - refused]
            guard let value = try? msrs([entry.index]).first?.data, value == entry.data else {
                throw .call(
                    .setMSRs, .noSuchAddressOrDevice,
                    about: "vCPU \(id), MSR 0x\(String(entry.index, radix: 16)) to 0x\(String(entry.data, radix: 16))")
            }
            rest = rest.suffix(refused - 1)
        }
    }
}
