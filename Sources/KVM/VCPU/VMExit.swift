import CKVM

/// Why a vCPU came back from the guest (KVM API document, section 5, "The kvm_run structure"). Decoding reads the
/// run page and allocates nothing; the pointers inside point into that page and are good until the next `run()`.
@frozen
public enum VMExit {
    case portIO(PortIO)
    case mmio(MMIO)
    /// HLT, without an in-kernel local APIC.
    case halt
    /// A triple fault, or another state the processor cannot leave.
    case shutdown
    /// The guest can now take an external interrupt.
    case interruptWindowOpen
    case ioapicEndOfInterrupt(vector: UInt8)
    case readMSR(MSRAccess)
    case writeMSR(MSRAccess)
    case debug
    /// A guest exception that debugging asked for.
    case exception
    case hypercall
    /// The guest lowered its task priority (CR8) without an in-kernel local APIC.
    case taskPriorityChanged
    /// The guest accessed its task priority where tracing of that was asked for.
    case taskPriorityAccess
    case nmi
    case hyperV
    case xen
    case dirtyRingFull
    case busLock
    case notify
    /// The processor would not enter the guest at all.
    case failedEntry(reason: UInt64, cpu: UInt32)
    case internalError(InternalError)
    case systemEvent(type: UInt32)
    /// The guest touched memory that the kernel could not provide.
    case memoryFault(flags: UInt64, address: UInt64, count: UInt64)
    case unknownHardwareReason(UInt64)
    /// A signal or `requestExit()` ended the run; nothing has happened in the guest that needs handling.
    case interrupted
    /// An exit reason this program does not know, by its number.
    case other(reason: UInt32)

    /// Whether it is `interrupted`.
    @inlinable
    public var isInterrupted: Bool {
        if case .interrupted = self { true } else { false }
    }

    /// `count` accesses of `size` bytes to one port (more than one for string instructions).
    @frozen
    public struct PortIO {
        /// Whether the guest wrote; otherwise it reads.
        public let isWrite: Bool
        /// 1, 2 or 4 bytes.
        public let size: UInt8
        /// The number of the port.
        public let port: UInt16
        /// How many accesses.
        public let count: UInt32
        /// The first access's value: what a write wrote, and for a read what the guest is to get.
        @inlinable
        public var value: UInt32 {
            get {
                switch size {
                case 1: UInt32(word.load(as: UInt8.self))
                case 2: UInt32(word.load(as: UInt16.self))
                default: word.load(as: UInt32.self)
                }
            }
            nonmutating set {
                switch size {
                case 1: word.storeBytes(of: UInt8(truncatingIfNeeded: newValue), as: UInt8.self)
                case 2: word.storeBytes(of: UInt16(truncatingIfNeeded: newValue), as: UInt16.self)
                default: word.storeBytes(of: newValue, as: UInt32.self)
                }
            }
        }

        @usableFromInline let word: UnsafeMutableRawPointer

        /// The data of all accesses, one after another: to be read for a write, to be filled in for a read.
        @inlinable
        public var data: UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(start: word, count: Int(count) &* Int(size))
        }
    }

    /// An access to a guest-physical address without memory.
    @frozen
    public struct MMIO {
        /// Whether the guest wrote; otherwise it reads.
        public let isWrite: Bool
        /// Guest-physical.
        public let address: UInt64
        /// 1...8, in bytes.
        public let size: UInt8
        @usableFromInline let data: UnsafeMutablePointer<UInt64>

        /// What a write wrote, and for a read what the guest is to get; bytes beyond `size` do not count.
        @inlinable
        public var value: UInt64 {
            get { data.pointee & UInt64.max >> (64 - 8 * UInt64(size)) }
            nonmutating set { data.pointee = newValue }
        }
    }

    /// An access to a model-specific register that the kernel was told to pass on.
    @frozen
    public struct MSRAccess {
        /// The register's number.
        public let index: UInt32
        /// The kernel's structure: the value, and `error` to be set to 1 to raise #GP in the guest.
        public let access: UnsafeMutablePointer<ckvm_exit_msr>
    }

    /// The kernel gave up: `suberror` says in what, `data` is what it adds.
    @frozen
    public struct InternalError {
        /// `KVM_INTERNAL_ERROR_*`.
        public let suberror: UInt32
        /// Up to 16 numbers whose meaning depends on `suberror`.
        public let data: UnsafeBufferPointer<UInt64>
    }

    @inlinable
    init(_ run: UnsafeMutablePointer<kvm_run>) {
        let reason = run.pointee.exit_reason
        switch Int32(bitPattern: reason) {
        case KVM_EXIT_IO:
            self = .portIO(PortIO(run))
        case KVM_EXIT_MMIO:
            self = .mmio(MMIO(run))
        default:
            self.init(uncommon: run, reason: reason)
        }
    }

    @usableFromInline
    init(uncommon run: UnsafeMutablePointer<kvm_run>, reason: UInt32) {
        switch Int32(bitPattern: reason) {
        case KVM_EXIT_UNKNOWN:
            self = .unknownHardwareReason(ckvm_run_hardware_exit_reason(run))
        case KVM_EXIT_EXCEPTION: self = .exception
        case KVM_EXIT_HYPERCALL: self = .hypercall
        case KVM_EXIT_SET_TPR: self = .taskPriorityChanged
        case KVM_EXIT_TPR_ACCESS: self = .taskPriorityAccess
        case KVM_EXIT_NMI: self = .nmi
        case KVM_EXIT_HYPERV: self = .hyperV
        case KVM_EXIT_XEN: self = .xen
        case KVM_EXIT_DEBUG: self = .debug
        case KVM_EXIT_HLT: self = .halt
        case KVM_EXIT_IRQ_WINDOW_OPEN: self = .interruptWindowOpen
        case KVM_EXIT_SHUTDOWN: self = .shutdown
        case KVM_EXIT_FAIL_ENTRY:
            let entry = ckvm_run_fail_entry(run)!.pointee
            self = .failedEntry(reason: entry.reason, cpu: entry.cpu)
        case KVM_EXIT_INTR: self = .interrupted
        case KVM_EXIT_INTERNAL_ERROR: self = .internalError(InternalError(run))
        case KVM_EXIT_SYSTEM_EVENT: self = .systemEvent(type: ckvm_run_system_event(run).pointee.type)
        case KVM_EXIT_IOAPIC_EOI: self = .ioapicEndOfInterrupt(vector: ckvm_run_eoi_vector(run))
        case KVM_EXIT_X86_RDMSR: self = .readMSR(MSRAccess(run))
        case KVM_EXIT_X86_WRMSR: self = .writeMSR(MSRAccess(run))
        case KVM_EXIT_DIRTY_RING_FULL: self = .dirtyRingFull
        case KVM_EXIT_X86_BUS_LOCK: self = .busLock
        case KVM_EXIT_NOTIFY: self = .notify
        case KVM_EXIT_MEMORY_FAULT:
            let fault = ckvm_run_memory_fault(run)!.pointee
            self = .memoryFault(flags: fault.flags, address: fault.address, count: fault.size)
        default: self = .other(reason: reason)
        }
    }
}

extension VMExit.PortIO {
    @inlinable
    init(_ run: UnsafeMutablePointer<kvm_run>) {
        let io = ckvm_run_io(run)!.pointee
        isWrite = io.direction == UInt8(KVM_EXIT_IO_OUT)
        size = io.size
        port = io.port
        count = io.count
        // SAFETY: the kernel places the data within the mapping of the run page, a page and so aligned, from its start.
        word = UnsafeMutableRawPointer(run) + Int(truncatingIfNeeded: io.data_offset)
    }
}

extension VMExit.MMIO {
    @inlinable
    init(_ run: UnsafeMutablePointer<kvm_run>) {
        let mmio = ckvm_run_mmio(run)!
        isWrite = mmio.pointee.is_write != 0
        address = mmio.pointee.address
        size = UInt8(truncatingIfNeeded: max(1, min(mmio.pointee.length, 8)))
        data = ckvm_mmio_data(mmio)
    }
}

extension VMExit.MSRAccess {
    init(_ run: UnsafeMutablePointer<kvm_run>) {
        access = ckvm_run_msr(run)
        index = access.pointee.index
    }
}

extension VMExit.InternalError {
    init(_ run: UnsafeMutablePointer<kvm_run>) {
        let error = ckvm_run_internal(run)!
        suberror = error.pointee.suberror
        // SAFETY: the array has 16 elements in the run page; the kernel's count is bounded by that.
        data = UnsafeBufferPointer(start: ckvm_internal_data(error), count: Int(min(error.pointee.data_count, 16)))
    }
}
