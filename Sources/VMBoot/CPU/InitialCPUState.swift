import VMAddressSpace

/// The first vCPU's registers at the guest's first instruction. The others wait for their start-up
/// interrupt in the state that reset leaves.
public struct InitialCPUState: Hashable, Sendable {
    public enum Mode: String, Hashable, Sendable {
        case real
        /// 32-bit protected mode with paging off.
        case protected32
        /// 64-bit mode.
        case long64
    }

    public var mode: Mode
    public var registers = GeneralRegisters()
    /// The offset in CS, which outside real mode is the linear and the physical address as well.
    public var rip: UInt64
    /// Bit 1 is always set.
    public var rflags: UInt64 = 2

    public var cs: Segment
    public var ds: Segment
    public var es: Segment
    public var fs: Segment
    public var gs: Segment
    public var ss: Segment
    /// The task register: not in the GDT, but in a state that VM entry accepts.
    public var tr = Segment.taskState
    public var ldt = Segment.localDescriptorTable

    public var gdt: DescriptorTable
    public var idt: DescriptorTable

    public var cr0: UInt64
    /// Guest-physical address of the top-level page table; 0 with paging off.
    public var cr3: UInt64 = 0
    public var cr4: UInt64 = 0
    /// The extended feature enable register (MSR 0xc0000080).
    public var efer: UInt64 = 0
}

/// The general-purpose registers.
public struct GeneralRegisters: Hashable, Sendable {
    public var rax: UInt64 = 0
    public var rbx: UInt64 = 0
    public var rcx: UInt64 = 0
    public var rdx: UInt64 = 0
    public var rsi: UInt64 = 0
    public var rdi: UInt64 = 0
    public var rsp: UInt64 = 0
    public var rbp: UInt64 = 0
    public var r8: UInt64 = 0
    public var r9: UInt64 = 0
    public var r10: UInt64 = 0
    public var r11: UInt64 = 0
    public var r12: UInt64 = 0
    public var r13: UInt64 = 0
    public var r14: UInt64 = 0
    public var r15: UInt64 = 0

    public init() {}
}

/// What GDTR or IDTR holds.
public struct DescriptorTable: Hashable, Sendable {
    /// Guest-physical, as nothing maps linear addresses otherwise yet.
    public var base: GuestAddress
    /// The offset of the table's last byte.
    public var limit: UInt16

    public init(base: GuestAddress, limit: UInt16) {
        self.base = base
        self.limit = limit
    }
}

/// Control register bits (Intel SDM volume 3A, section 2.5) and those of EFER (section 2.2.1).
enum ControlBits {
    static let cr0ProtectionEnable: UInt64 = 1 << 0
    static let cr0MonitorCoprocessor: UInt64 = 1 << 1
    static let cr0ExtensionType: UInt64 = 1 << 4
    static let cr0NumericError: UInt64 = 1 << 5
    static let cr0WriteProtect: UInt64 = 1 << 16
    static let cr0Paging: UInt64 = 1 << 31
    static let cr4PhysicalAddressExtension: UInt64 = 1 << 5
    static let cr4OSFXSR: UInt64 = 1 << 9
    static let cr4OSXMMEXCPT: UInt64 = 1 << 10
    static let eferLongModeEnable: UInt64 = 1 << 8
    static let eferLongModeActive: UInt64 = 1 << 10
}
