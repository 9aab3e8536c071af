import CKVM
import Glibc
import SystemPackage

/// What all vCPUs of a host have alike.
struct VCPUTraits: Sendable {
    /// The size in bytes of each vCPU's mapping of `kvm_run` and what follows it.
    let runPageSize: Int
    /// The size in bytes of the XSAVE area (KVM API document, section 4.134).
    let xsaveSize: Int
    let hasSyncRegisters: Bool
}

/// The owner of a virtual processor and of the page it shares with the kernel.
///
/// Once it runs, only the thread that runs it should call it (KVM API document, section 3); the exception is
/// `requestExit()`, which is for other threads.
public struct VCPU: ~Copyable, @unchecked Sendable {
    // SAFETY: the run page is mapped until `deinit`, which cannot happen while any thread borrows the value. The
    // kernel and the running thread write it by turns; other threads touch `immediate_exit` alone, atomically.
    /// Its number in its VM, which is its APIC id.
    public let id: UInt32
    @usableFromInline let descriptor: KVMDescriptor
    @usableFromInline let runPage: UnsafeMutablePointer<kvm_run>
    private let runPageSize: Int
    /// The size in bytes of its XSAVE area.
    public let xsaveSize: Int

    init(id: UInt32, descriptor: consuming KVMDescriptor, _ traits: VCPUTraits) throws(KVMError) {
        let runPageSize = traits.runPageSize
        let mapped = mmap(nil, runPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.rawValue, 0)
        guard let mapped, mapped != MAP_FAILED else {
            throw .call(.mapRunPage, Errno(rawValue: Glibc.errno), about: "vCPU \(id)")
        }
        self.id = id
        self.descriptor = descriptor
        self.runPage = mapped.bindMemory(to: kvm_run.self, capacity: 1)
        self.runPageSize = runPageSize
        self.xsaveSize = traits.xsaveSize
        if traits.hasSyncRegisters {
            runPage.pointee.kvm_valid_regs = UInt64(KVM_SYNC_X86_REGS)
        }
    }

    deinit {
        munmap(runPage, runPageSize)
    }

    /// Runs the guest on this thread until something needs the monitor. One thread at a time.
    /// - Returns: why it came back. Its pointers are good until the next call, and while the vCPU lives. `.interrupted` where a signal came,
    ///   or `requestExit()` was called, or the kernel wants to be called again.
    /// - Throws: `KVMError.call` for any failure other than those.
    @inlinable
    public borrowing func run() throws(KVMError) -> VMExit {
        let result = ckvm_ioctl(descriptor.rawValue, CKVM_RUN, 0)
        if result < 0 {
            // EAGAIN: an application processor has just left the wait for its start-up message.
            if result == -Int(EINTR) || result == -Int(EAGAIN) { return .interrupted }
            // These two with this reason set are an exit (KVM API document, KVM_EXIT_MEMORY_FAULT).
            let isFault = result == -Int(EFAULT) || result == -Int(EHWPOISON)
            if !isFault || runPage.pointee.exit_reason != UInt32(KVM_EXIT_MEMORY_FAULT) {
                throw runFailure(Int32(-result))
            }
        }
        return VMExit(runPage)
    }

    @usableFromInline
    func runFailure(_ errno: Int32) -> KVMError {
        .call(.run, Errno(rawValue: errno), about: "vCPU \(id)")
    }

    /// Makes the next `run()` return `.interrupted`, and the present one too once its thread has been sent a signal that
    /// it handles. Any thread may call it.
    public func requestExit() {
        ckvm_run_set_immediate_exit(runPage, 1)
    }

    /// Undoes `requestExit()`, on the thread that runs the vCPU, before it looks at what was asked of it.
    public func clearExitRequest() {
        ckvm_run_set_immediate_exit(runPage, 0)
    }

    /// The guest's RIP at the last exit without a call into the kernel, where the host has
    /// `Capability.syncRegisters`; 0 elsewhere.
    @inlinable
    public var syncedInstructionPointer: UInt64 {
        ckvm_run_synced_registers(runPage).pointee.rip
    }

    /// The number of the last exit's reason.
    public var exitReason: UInt32 { runPage.pointee.exit_reason }

    /// Whether an external interrupt can be injected now (without an in-kernel PIC).
    public var isReadyForInterrupt: Bool {
        runPage.pointee.ready_for_interrupt_injection != 0
    }

    /// Whether to exit with `.interruptWindowOpen` as soon as the guest can take an external interrupt.
    public func setInterruptWindowRequested(_ requested: Bool) {
        runPage.pointee.request_interrupt_window = requested ? 1 : 0
    }

    /// Injects an external interrupt (without an in-kernel PIC), when `isReadyForInterrupt`.
    public func injectInterrupt(vector: UInt8) throws(KVMError) {
        try descriptor.set(.interrupt, CKVM_INTERRUPT, kvm_interrupt(irq: UInt32(vector)), about: "vCPU \(id)")
    }

    /// Injects a non-maskable interrupt.
    public func injectNMI() throws(KVMError) {
        try descriptor.call(.nmi, CKVM_NMI, about: "vCPU \(id)")
    }

    /// The frequency of its time-stamp counter in kHz. Needs `Capability.tscFrequency`.
    public func tscKilohertz() throws(KVMError) -> UInt32 {
        UInt32(clamping: try descriptor.call(.getTSCFrequency, CKVM_GET_TSC_KHZ, about: "vCPU \(id)"))
    }

    /// Sets the frequency of its time-stamp counter. Needs `Capability.tscControl` for any but the host's.
    public func setTSCKilohertz(_ kilohertz: UInt32) throws(KVMError) {
        try descriptor.call(
            .setTSCFrequency, CKVM_SET_TSC_KHZ, UInt(kilohertz), about: "vCPU \(id), \(kilohertz) kHz")
    }

    /// Tells the guest, where it has a paravirtual clock, that it did not run for a while, so that its watchdogs do not take
    /// that for a fault of its own. Needs `Capability.clockControl`.
    /// - Throws: `KVMError.call` with `EINVAL` for a guest without such a clock.
    public func notifyPaused() throws(KVMError) {
        try descriptor.call(.guestPaused, CKVM_KVMCLOCK_CTRL, about: "vCPU \(id)")
    }
}
