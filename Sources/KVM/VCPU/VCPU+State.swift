import CKVM

// The kernel's own structures, under the names of the state they hold.
/// RAX to R15, RIP and RFLAGS.
public typealias GeneralRegisters = kvm_regs
/// Segments, descriptor tables, control registers, EFER and the APIC base.
public typealias SpecialRegisters = kvm_sregs
/// The same with the page-directory pointers of PAE paging.
public typealias SpecialRegisters2 = kvm_sregs2
/// The x87 and SSE registers.
public typealias FPUState = kvm_fpu
/// XCR0 and its kin.
public typealias ExtendedControlRegisters = kvm_xcrs
/// The number and the value of an extended control register.
public typealias ExtendedControlRegister = kvm_xcr
/// Exceptions, interrupts, NMIs and SMIs that are pending or being delivered.
public typealias VCPUEvents = kvm_vcpu_events
/// DR0 to DR3, DR6 and DR7.
public typealias DebugRegisters = kvm_debugregs
/// The index and the value of a model-specific register.
public typealias MSREntry = kvm_msr_entry

extension SpecialRegisters {
    /// A segment register, with the part of it that the processor keeps to itself.
    public typealias Segment = kvm_segment
}

extension SpecialRegisters2 {
    /// Whether `pdptrs` means something.
    public static let hasPageDirectoryPointers = UInt64(KVM_SREGS2_FLAGS_PDPTRS_VALID)
}

/// Whether a processor runs, waits or sleeps (KVM API document, section 4.38).
public enum MPState: UInt32, Hashable, Sendable {
    case runnable = 0
    /// An application processor that waits for its INIT message.
    case uninitialized = 1
    /// One that waits for its start-up message.
    case initReceived = 2
    case halted = 3
    case startupReceived = 4
}

/// Register state, read and written while the vCPU does not run.
extension VCPU {
    /// Reads RAX to R15, RIP and RFLAGS.
    /// - Throws: `KVMError.call`, as all of these do.
    public func generalRegisters() throws(KVMError) -> GeneralRegisters {
        try descriptor.get(.getRegisters, CKVM_GET_REGS, zero: GeneralRegisters(), about: "vCPU \(id)")
    }

    /// Sets RAX to R15, RIP and RFLAGS.
    public func setGeneralRegisters(_ registers: GeneralRegisters) throws(KVMError) {
        try descriptor.set(.setRegisters, CKVM_SET_REGS, registers, about: "vCPU \(id)")
    }

    /// Segments, descriptor tables, control registers, EFER and the APIC base.
    public func specialRegisters() throws(KVMError) -> SpecialRegisters {
        try descriptor.get(.getSpecialRegisters, CKVM_GET_SREGS, zero: SpecialRegisters(), about: "vCPU \(id)")
    }

    /// Sets them all.
    /// - Throws: `KVMError.call` with `EINVAL` for a combination that the processor does not know.
    public func setSpecialRegisters(_ registers: SpecialRegisters) throws(KVMError) {
        try descriptor.set(.setSpecialRegisters, CKVM_SET_SREGS, registers, about: "vCPU \(id)")
    }

    /// The special registers, with the page-directory pointers of PAE paging where there are any, but without the interrupt
    /// that is being injected. Needs `Capability.specialRegisters2`.
    public func specialRegisters2() throws(KVMError) -> SpecialRegisters2 {
        try descriptor.get(.getSpecialRegisters2, CKVM_GET_SREGS2, zero: SpecialRegisters2(), about: "vCPU \(id)")
    }

    /// Sets them all. Needs `Capability.specialRegisters2`.
    public func setSpecialRegisters2(_ registers: SpecialRegisters2) throws(KVMError) {
        try descriptor.set(.setSpecialRegisters2, CKVM_SET_SREGS2, registers, about: "vCPU \(id)")
    }

    /// The x87 and SSE registers.
    public func fpu() throws(KVMError) -> FPUState {
        try descriptor.get(.getFPU, CKVM_GET_FPU, zero: FPUState(), about: "vCPU \(id)")
    }

    /// Sets the x87 and SSE registers.
    public func setFPU(_ state: FPUState) throws(KVMError) {
        try descriptor.set(.setFPU, CKVM_SET_FPU, state, about: "vCPU \(id)")
    }

    /// XCR0. Needs `Capability.xcrs`.
    public func extendedControlRegisters() throws(KVMError) -> ExtendedControlRegisters {
        try descriptor.get(.getXCRs, CKVM_GET_XCRS, zero: ExtendedControlRegisters(), about: "vCPU \(id)")
    }

    /// Sets XCR0. Needs `Capability.xcrs`.
    public func setExtendedControlRegisters(_ registers: ExtendedControlRegisters) throws(KVMError) {
        try descriptor.set(.setXCRs, CKVM_SET_XCRS, registers, about: "vCPU \(id)")
    }

    /// Pending and injected exceptions, interrupts and NMIs.
    public func events() throws(KVMError) -> VCPUEvents {
        try descriptor.get(.getEvents, CKVM_GET_VCPU_EVENTS, zero: VCPUEvents(), about: "vCPU \(id)")
    }

    /// Sets what is pending.
    public func setEvents(_ events: VCPUEvents) throws(KVMError) {
        try descriptor.set(.setEvents, CKVM_SET_VCPU_EVENTS, events, about: "vCPU \(id)")
    }

    /// Needs `Capability.debugRegisters`.
    public func debugRegisters() throws(KVMError) -> DebugRegisters {
        try descriptor.get(.getDebugRegisters, CKVM_GET_DEBUGREGS, zero: DebugRegisters(), about: "vCPU \(id)")
    }

    /// Sets them all. Needs `Capability.debugRegisters`.
    public func setDebugRegisters(_ registers: DebugRegisters) throws(KVMError) {
        try descriptor.set(.setDebugRegisters, CKVM_SET_DEBUGREGS, registers, about: "vCPU \(id)")
    }

    /// Whether it runs, waits or sleeps; nil for a state of another architecture or a newer kernel.
    public func mpState() throws(KVMError) -> MPState? {
        let state = try descriptor.get(.getMPState, CKVM_GET_MP_STATE, zero: kvm_mp_state(), about: "vCPU \(id)")
        return MPState(rawValue: state.mp_state)
    }

    /// Makes it run, wait or sleep.
    public func setMPState(_ state: MPState) throws(KVMError) {
        try descriptor.set(
            .setMPState, CKVM_SET_MP_STATE, kvm_mp_state(mp_state: state.rawValue), about: "vCPU \(id)")
    }
}
