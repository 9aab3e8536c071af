import SystemPackage
import VMHost

/// What KVM refused, and what to do about it. What throws one has changed nothing, except where it says so.
public enum KVMError: Error, Hashable, Sendable {
    /// The KVM device could not be opened.
    case cannotOpen(path: String, Errno)
    /// The device opened is not KVM's, or speaks another version of its interface than `KVMSystem.apiVersion`.
    case wrongVersion(path: String, found: Int)
    /// The host lacks a capability that the monitor cannot do without.
    case missingCapability(Capability)
    /// A call failed: which, why, and what it was about.
    case call(KVMCall, Errno, about: String)

    /// Whether it comes from a lack of permission: the same request by another user could succeed.
    public var isPermissionDenied: Bool {
        switch self {
        case .cannotOpen(_, let errno), .call(_, let errno, _): errno == .permissionDenied || errno == .notPermitted
        case .wrongVersion, .missingCapability: false
        }
    }
}

/// The calls of the KVM interface, by the names of the kernel's document.
public enum KVMCall: String, Hashable, Sendable {
    case checkExtension = "KVM_CHECK_EXTENSION"
    case createVM = "KVM_CREATE_VM"
    case getVCPUMmapSize = "KVM_GET_VCPU_MMAP_SIZE"
    case getSupportedCPUID = "KVM_GET_SUPPORTED_CPUID"
    case getMSRIndexList = "KVM_GET_MSR_INDEX_LIST"
    case enableCapability = "KVM_ENABLE_CAP"
    case createVCPU = "KVM_CREATE_VCPU"
    case mapRunPage = "mmap of kvm_run"
    case setMemorySlot = "KVM_SET_USER_MEMORY_REGION"
    case getDirtyLog = "KVM_GET_DIRTY_LOG"
    case clearDirtyLog = "KVM_CLEAR_DIRTY_LOG"
    case resetDirtyRings = "KVM_RESET_DIRTY_RINGS"
    case mapDirtyRing = "mmap of a dirty ring"
    case setTSSAddress = "KVM_SET_TSS_ADDR"
    case setIdentityMapAddress = "KVM_SET_IDENTITY_MAP_ADDR"
    case createIRQChip = "KVM_CREATE_IRQCHIP"
    case getIRQChip = "KVM_GET_IRQCHIP"
    case setIRQChip = "KVM_SET_IRQCHIP"
    case createPIT = "KVM_CREATE_PIT2"
    case getPIT = "KVM_GET_PIT2"
    case setPIT = "KVM_SET_PIT2"
    case setIRQLine = "KVM_IRQ_LINE"
    case signalMSI = "KVM_SIGNAL_MSI"
    case setGSIRouting = "KVM_SET_GSI_ROUTING"
    case getClock = "KVM_GET_CLOCK"
    case setClock = "KVM_SET_CLOCK"
    case run = "KVM_RUN"
    case getRegisters = "KVM_GET_REGS"
    case setRegisters = "KVM_SET_REGS"
    case getSpecialRegisters = "KVM_GET_SREGS"
    case setSpecialRegisters = "KVM_SET_SREGS"
    case getSpecialRegisters2 = "KVM_GET_SREGS2"
    case setSpecialRegisters2 = "KVM_SET_SREGS2"
    case getFPU = "KVM_GET_FPU"
    case setFPU = "KVM_SET_FPU"
    case getXSAVE = "KVM_GET_XSAVE"
    case setXSAVE = "KVM_SET_XSAVE"
    case getXCRs = "KVM_GET_XCRS"
    case setXCRs = "KVM_SET_XCRS"
    case getLAPIC = "KVM_GET_LAPIC"
    case setLAPIC = "KVM_SET_LAPIC"
    case getMSRs = "KVM_GET_MSRS"
    case setMSRs = "KVM_SET_MSRS"
    case getCPUID = "KVM_GET_CPUID2"
    case setCPUID = "KVM_SET_CPUID2"
    case getEvents = "KVM_GET_VCPU_EVENTS"
    case setEvents = "KVM_SET_VCPU_EVENTS"
    case getMPState = "KVM_GET_MP_STATE"
    case setMPState = "KVM_SET_MP_STATE"
    case getDebugRegisters = "KVM_GET_DEBUGREGS"
    case setDebugRegisters = "KVM_SET_DEBUGREGS"
    case getTSCFrequency = "KVM_GET_TSC_KHZ"
    case setTSCFrequency = "KVM_SET_TSC_KHZ"
    case getNestedState = "KVM_GET_NESTED_STATE"
    case guestPaused = "KVM_KVMCLOCK_CTRL"
    case interrupt = "KVM_INTERRUPT"
    case nmi = "KVM_NMI"
    case getStatistics = "KVM_GET_STATS_FD"
}

extension KVMError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cannotOpen(let path, let errno):
            "cannot open \(path): \(errno) (\(errno.symbol)); \(Self.advice(path: path, errno))"
        case .wrongVersion(let path, let found) where found < 0:
            "\(path) is not a KVM device; the host's is usually /dev/kvm"
        case .wrongVersion(let path, let found):
            "\(path) speaks version \(found) of the KVM interface, and this program version \(KVMSystem.apiVersion); "
                + "it needs a Linux kernel of 2.6.22 or later"
        case .missingCapability(let capability):
            "the host's KVM lacks \(capability) (\(capability.purpose)); a newer kernel has it"
        case .call(let call, let errno, let about):
            "\(call.rawValue)\(about.isEmpty ? "" : " (\(about))") failed: \(errno) (\(errno.symbol))"
                + (Self.advice(call, errno).map { "; \($0)" } ?? "")
        }
    }

    private static func advice(path: String, _ errno: Errno) -> String {
        switch errno {
        case .noSuchFileOrDirectory:
            "load the module kvm_intel or kvm_amd (if it does not load, turn on VT-x or AMD-V in the firmware, or nested "
                + "virtualization on the outer host), and in a container pass the device in"
        case .permissionDenied, .notPermitted:
            "join its group (sudo usermod -aG kvm $USER, then log in anew) "
                + "or take access (sudo setfacl -m u:$USER:rw \(path))"
        case .noDevice, .noSuchAddressOrDevice:
            "no KVM module serves it: load kvm_intel or kvm_amd; if it does not load, virtualization is off in the firmware"
        case .resourceBusy:
            "another hypervisor holds the processor's virtualization; stop it"
        default:
            "check that it is the host's KVM device"
        }
    }

    private static func advice(_ call: KVMCall, _ errno: Errno) -> String? {
        switch (call, errno) {
        case (_, .noMemory): "the host is out of memory or over a limit on it"
        case (.createVM, .resourceBusy): "another hypervisor holds the processor's virtualization; stop it"
        case (_, .tooManyOpenFiles): "raise the limit on open files (ulimit -n)"
        case (.setMemorySlot, .fileExists): "another slot covers some of these guest addresses"
        case (.setMemorySlot, .noSpace): "remove memory, or have it in fewer and larger pieces"
        case (.setMemorySlot, .invalidArgument):
            "a slot has up to \(MemorySlot.maximumPageCount) pages, at addresses that the processor has, and memory of this "
                + "process behind it from a page's start"
        default: nil
        }
    }
}
