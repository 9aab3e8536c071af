import KVM
import VMState

extension VCPU {
    /// Adds its state, but for what cannot change (`SavedProcessorModel`). It does not run, and the last exit was
    /// answered.
    borrowing func save(
        into state: inout MachineState, _ index: Int, _ support: StateSupport, hasLocalAPIC: Bool, _ msrs: [UInt32]
    ) throws(KVMError) {
        // Asking for it has the kernel take INIT and start-up messages that have come, which change all the rest.
        guard let mpState = try mpState() else {
            throw .call(.getMPState, .notSupported, about: "vCPU \(id), a state that is not known")
        }
        var mp = SavedMPState()
        mp.value = mpState
        state.append(mp, index)
        // Asking for these delivers a pending exception's payload to CR2 or DR6.
        var events = SavedEvents()
        events.value = try self.events()
        state.append(events, index)
        var general = SavedGeneralRegisters()
        general.value = try generalRegisters()
        state.append(general, index)
        state.append(try savedSpecialRegisters(support), index)
        if support.hasXSAVE {
            var xsave = SavedXSAVE()
            xsave.area = try self.xsave()
            state.append(xsave, index)
        } else {
            var fpu = SavedFPU()
            fpu.value = try self.fpu()
            state.append(fpu, index)
        }
        if support.hasXCRs { state.append(SavedXCRs(try extendedControlRegisters()), index) }
        if support.hasDebugRegisters {
            var debug = SavedDebugRegisters()
            debug.value = try debugRegisters()
            state.append(debug, index)
        }
        if hasLocalAPIC {
            var lapic = SavedLAPIC()
            lapic.registers = try self.lapic()
            state.append(lapic, index)
        }
        state.append(SavedMSRs(try self.msrs(msrs)), index)
    }

    private borrowing func savedSpecialRegisters(
        _ support: StateSupport
    ) throws(KVMError) -> SavedSpecialRegisters {
        var special = SavedSpecialRegisters()
        special.value = try specialRegisters()
        guard support.hasSpecialRegisters2 else { return special }
        let more = try specialRegisters2()
        if more.flags & SpecialRegisters2.hasPageDirectoryPointers != 0 {
            let pointers = more.pdptrs
            special.pageDirectoryPointers = [pointers.0, pointers.1, pointers.2, pointers.3]
        }
        return special
    }
}
