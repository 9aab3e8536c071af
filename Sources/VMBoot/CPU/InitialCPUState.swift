import VMAddressSpace

/// The first vCPU's registers at the guest's first instruction. The others wait for their start-up
/// interrupt in the state that reset leaves.
public struct InitialCPUState: Hashable, Sendable {
    /// What the CPU takes addresses and instructions for.
    public enum Mode: String, Hashable, Sendable {
        case real
        /// 32-bit protected mode with paging off.
        case protected32
        /// 64-bit mode.
        case long64
    }

    /// Agrees with CS, the control registers and EFER, which say the same in the CPU's terms.
    public var mode: Mode
    /// Zero where the format passes nothing.
    public var registers = Registers()
    /// The offset in CS, which outside real mode is the linear and the physical address as well.
    public var rip: UInt64
    /// Bit 1 is always set.
    public var rflags: UInt64 = 2

    /// The code that runs first.
    public var cs: Segment
    /// Data, as ES, FS, GS and SS: the same in all but real mode.
    public var ds: Segment
    public var es: Segment
    public var fs: Segment
    public var gs: Segment
    public var ss: Segment
    /// The task register: not in the GDT, but in a state that VM entry accepts.
    public var tr = Segment.taskState
    /// No local descriptors, as reset leaves it.
    public var ldt = Segment.localDescriptorTable

    /// In guest memory, but for real mode, which has none.
    public var gdt: DescriptorTable
    /// Empty, but for the interrupt vectors of real mode.
    public var idt: DescriptorTable

    /// Control register 0 (Intel SDM volume 3A, section 2.5).
    public var cr0: UInt64
    /// Guest-physical address of the top-level page table; 0 with paging off.
    public var cr3: UInt64 = 0
    /// Control register 4.
    public var cr4: UInt64 = 0
    /// The extended feature enable register (MSR 0xc0000080).
    public var efer: UInt64 = 0
}

extension InitialCPUState {
    /// The general-purpose registers.
    public struct Registers: Hashable, Sendable {
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

        /// All zero.
        public init() {}
    }
}

/// What GDTR or IDTR holds.
public struct DescriptorTable: Hashable, Sendable {
    /// Guest-physical, as nothing maps linear addresses otherwise yet.
    public var base: GuestAddress
    /// The offset of the table's last byte.
    public var limit: UInt16

    /// The register as `LGDT` or `LIDT` would load it.
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
