import CKVM

/// A capability of KVM, as `KVM_CHECK_EXTENSION` knows it (KVM API document, section 4.4).
public struct Capability: RawRepresentable, Hashable, Sendable {
    /// Its number in `linux/kvm.h`.
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }
}

extension Capability {
    /// What the monitor does with one, and what it does on a host without it.
    public struct Use: Sendable {
        public let capability: Capability
        /// The kernel document's name for it.
        public let name: String
        /// What the monitor does with it.
        public let purpose: String
        /// What happens on a host without it; nil where the monitor cannot do without.
        public let fallback: String?

        /// Whether the monitor refuses a host without it.
        public var isRequired: Bool { fallback == nil }

        fileprivate init(_ capability: Capability, _ name: String, _ purpose: String, else fallback: String?) {
            self.capability = capability
            self.name = name
            self.purpose = purpose
            self.fallback = fallback
        }
    }

    /// Guest memory from the monitor's mappings.
    public static let userMemory = Capability(rawValue: KVM_CAP_USER_MEMORY)
    /// Real mode on Intel processors.
    public static let setTSSAddress = Capability(rawValue: KVM_CAP_SET_TSS_ADDR)
    /// The processor features a guest sees.
    public static let extendedCPUID = Capability(rawValue: KVM_CAP_EXT_CPUID)
    /// Removing memory slots.
    public static let destroyMemoryRegionWorks = Capability(rawValue: KVM_CAP_DESTROY_MEMORY_REGION_WORKS)
    /// Adjoining memory slots.
    public static let joinMemoryRegionsWorks = Capability(rawValue: KVM_CAP_JOIN_MEMORY_REGIONS_WORKS)
    /// Halted and waiting processors.
    public static let mpState = Capability(rawValue: KVM_CAP_MP_STATE)
    /// Stopping a processor at any moment.
    public static let immediateExit = Capability(rawValue: KVM_CAP_IMMEDIATE_EXIT)
    /// How many memory slots a VM can have.
    public static let memorySlotCount = Capability(rawValue: KVM_CAP_NR_MEMSLOTS)
    /// Pending exceptions and interrupts.
    public static let vcpuEvents = Capability(rawValue: KVM_CAP_VCPU_EVENTS)

    /// Interrupt controllers in the kernel.
    public static let irqchip = Capability(rawValue: KVM_CAP_IRQCHIP)
    /// Local APICs alone in the kernel.
    public static let splitIRQChip = Capability(rawValue: KVM_CAP_SPLIT_IRQCHIP)
    /// Interrupts by message.
    public static let signalMSI = Capability(rawValue: KVM_CAP_SIGNAL_MSI)
    /// The 8254 timer in the kernel.
    public static let pit = Capability(rawValue: KVM_CAP_PIT2)
    /// Where Intel real mode keeps its page table.
    public static let setIdentityMapAddress = Capability(rawValue: KVM_CAP_SET_IDENTITY_MAP_ADDR)
    /// How many vCPUs run well.
    public static let recommendedVCPUs = Capability(rawValue: KVM_CAP_NR_VCPUS)
    /// How many vCPUs a VM can have.
    public static let maximumVCPUs = Capability(rawValue: KVM_CAP_MAX_VCPUS)
    /// ROM.
    public static let readOnlyMemory = Capability(rawValue: KVM_CAP_READONLY_MEM)
    /// The address of each of the last exits.
    public static let syncRegisters = Capability(rawValue: KVM_CAP_SYNC_REGS)
    /// Ends of level-triggered interrupts.
    public static let interruptRouting = Capability(rawValue: KVM_CAP_IRQ_ROUTING)
    /// APIC timers by TSC deadline.
    public static let tscDeadlineTimer = Capability(rawValue: KVM_CAP_TSC_DEADLINE_TIMER)
    /// The TSC frequency a guest is told.
    public static let tscFrequency = Capability(rawValue: KVM_CAP_GET_TSC_KHZ)
    /// Saving the paravirtual clock.
    public static let adjustClock = Capability(rawValue: KVM_CAP_ADJUST_CLOCK)
    /// Saving extended processor state.
    public static let xsave = Capability(rawValue: KVM_CAP_XSAVE)
    /// Saving processor state beyond 4 KiB (AMX).
    public static let xsave2 = Capability(rawValue: KVM_CAP_XSAVE2)
    /// Saving XCR0.
    public static let xcrs = Capability(rawValue: KVM_CAP_XCRS)
    /// Saving the page-directory pointers of PAE paging.
    public static let specialRegisters2 = Capability(rawValue: KVM_CAP_SREGS2)
    /// A TSC frequency other than the host's.
    public static let tscControl = Capability(rawValue: KVM_CAP_TSC_CONTROL)
    /// Telling a guest that it was paused.
    public static let clockControl = Capability(rawValue: KVM_CAP_KVMCLOCK_CTRL)
    /// Saving debug registers.
    public static let debugRegisters = Capability(rawValue: KVM_CAP_DEBUGREGS)

    /// Telling whether a guest runs guests of its own.
    public static let nestedState = Capability(rawValue: KVM_CAP_NESTED_STATE)

    /// Dirty logs that are cleared by range, and start out with every page dirty (`MANUAL_DIRTY_LOG_PROTECT2`).
    public static let manualDirtyLogProtect = Capability(rawValue: KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)
    /// A ring of dirty pages for each vCPU. The value is the largest, in bytes.
    public static let dirtyRing = Capability(rawValue: KVM_CAP_DIRTY_LOG_RING)
    /// The same by another name, for programs that keep to its memory ordering on any processor.
    public static let dirtyRingAcquireRelease = Capability(rawValue: KVM_CAP_DIRTY_LOG_RING_ACQ_REL)

    /// What vCPUs have done, counted by the kernel.
    public static let binaryStatistics = Capability(rawValue: KVM_CAP_BINARY_STATS_FD)

    /// Those that the monitor cannot do without: in `uses`, the ones without a fallback.
    public static let required: [Capability] = [
        .userMemory, .setTSSAddress, .extendedCPUID, .destroyMemoryRegionWorks, .joinMemoryRegionsWorks, .mpState,
        .vcpuEvents, .immediateExit,
    ]

    /// Every capability the monitor uses, the required ones first.
    public static let uses: [Use] = [
        Use(.userMemory, "KVM_CAP_USER_MEMORY", "guest memory from the monitor's mappings", else: nil),
        Use(.setTSSAddress, "KVM_CAP_SET_TSS_ADDR", "real mode on Intel processors", else: nil),
        Use(.extendedCPUID, "KVM_CAP_EXT_CPUID", "the processor features a guest sees", else: nil),
        Use(.destroyMemoryRegionWorks, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS", "removing memory slots", else: nil),
        Use(.joinMemoryRegionsWorks, "KVM_CAP_JOIN_MEMORY_REGIONS_WORKS", "adjoining memory slots", else: nil),
        Use(.mpState, "KVM_CAP_MP_STATE", "halted and waiting processors", else: nil),
        Use(.vcpuEvents, "KVM_CAP_VCPU_EVENTS", "pending exceptions and interrupts", else: nil),
        Use(.immediateExit, "KVM_CAP_IMMEDIATE_EXIT", "stopping a processor at any moment", else: nil),
        Use(.irqchip, "KVM_CAP_IRQCHIP", "interrupt controllers in the kernel", else: "--irqchip none only"),
        Use(.splitIRQChip, "KVM_CAP_SPLIT_IRQCHIP", "local APICs alone in the kernel", else: "no --irqchip split"),
        Use(.signalMSI, "KVM_CAP_SIGNAL_MSI", "interrupts by message", else: "no --irqchip split"),
        Use(.interruptRouting, "KVM_CAP_IRQ_ROUTING", "ends of level-triggered interrupts", else: "no --irqchip split"),
        Use(.tscDeadlineTimer, "KVM_CAP_TSC_DEADLINE_TIMER", "APIC timers by TSC deadline", else: "guests do without"),
        Use(.pit, "KVM_CAP_PIT2", "the 8254 timer in the kernel", else: "no --pit"),
        Use(
            .setIdentityMapAddress, "KVM_CAP_SET_IDENTITY_MAP_ADDR", "where Intel real mode keeps its page table",
            else: "the kernel's default, 0xfffbc000"),
        Use(.memorySlotCount, "KVM_CAP_NR_MEMSLOTS", "how many memory slots a VM can have", else: "32 are assumed"),
        Use(.recommendedVCPUs, "KVM_CAP_NR_VCPUS", "how many vCPUs run well", else: "4 are assumed"),
        Use(.maximumVCPUs, "KVM_CAP_MAX_VCPUS", "how many vCPUs a VM can have", else: "the recommended number"),
        Use(.readOnlyMemory, "KVM_CAP_READONLY_MEM", "ROM", else: "no read-only memory slots"),
        Use(
            .syncRegisters, "KVM_CAP_SYNC_REGS", "the address of each of the last exits",
            else: "crash reports list exits without addresses"),
        Use(.tscFrequency, "KVM_CAP_GET_TSC_KHZ", "the TSC frequency a guest is told", else: "it is told 0, unknown"),
        Use(.adjustClock, "KVM_CAP_ADJUST_CLOCK", "saving the paravirtual clock", else: "it is not saved"),
        Use(.xsave, "KVM_CAP_XSAVE", "saving extended processor state", else: "FPU and SSE state only"),
        Use(.xsave2, "KVM_CAP_XSAVE2", "saving processor state beyond 4 KiB (AMX)", else: "KVM_CAP_XSAVE"),
        Use(.xcrs, "KVM_CAP_XCRS", "saving XCR0", else: "it is not saved"),
        Use(
            .manualDirtyLogProtect, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2", "--dirty-tracking manual",
            else: "--dirty-tracking log is the default"),
        Use(
            .dirtyRingAcquireRelease, "KVM_CAP_DIRTY_LOG_RING_ACQ_REL", "--dirty-tracking ring",
            else: "KVM_CAP_DIRTY_LOG_RING"),
        Use(.dirtyRing, "KVM_CAP_DIRTY_LOG_RING", "--dirty-tracking ring on older kernels", else: "no ring"),
        Use(
            .binaryStatistics, "KVM_CAP_BINARY_STATS_FD", "exits and page faults that 'vmm dirty-rate' shows",
            else: "it shows none"),
        Use(
            .specialRegisters2, "KVM_CAP_SREGS2", "saving the page-directory pointers of PAE paging",
            else: "they are read from guest memory again"),
        Use(
            .tscControl, "KVM_CAP_TSC_CONTROL", "guests from hosts with another TSC frequency",
            else: "none whose frequency differs by more than 250 ppm"),
        Use(
            .clockControl, "KVM_CAP_KVMCLOCK_CTRL", "telling a restored guest that it was paused",
            else: "its watchdogs may complain"),
        Use(.debugRegisters, "KVM_CAP_DEBUGREGS", "saving debug registers", else: "they are not saved"),
        Use(
            .nestedState, "KVM_CAP_NESTED_STATE", "finding guests that run guests, which cannot be saved",
            else: "found by their control registers alone"),
    ]

    private var use: Use? { Self.uses.first { $0.capability == self } }

    /// What the monitor uses it for.
    public var purpose: String { use?.purpose ?? "not used by this program" }
}

extension Capability: CustomStringConvertible {
    /// Its name in the kernel's document, or its number.
    public var description: String { use?.name ?? "KVM capability \(rawValue)" }
}
