import CKVM
import KVM

/// The registers of one vCPU at one moment, and what they say about how it sees the world.
struct CPUSnapshot: Sendable {
    let index: Int
    let registers: kvm_regs
    let special: kvm_sregs
    /// Whether it ran, slept or waited to be started; nil where the host does not say.
    var mpState: MPState? = nil
    /// How many bits of a physical address the processor has (CPUID leaf 0x80000008): those above are reserved in page
    /// tables.
    var physicalAddressBits = 52

    /// How addresses and instructions are taken (Intel SDM volume 3, section 2.2).
    enum Mode: String, Sendable {
        case real = "real mode"
        case protected16 = "16-bit protected mode"
        case protected32 = "32-bit protected mode"
        case compatibility = "32-bit compatibility mode"
        case long64 = "64-bit mode"
        case virtual8086 = "virtual-8086 mode"
    }

    var mode: Mode {
        if special.cr0 & 1 == 0 { return .real }
        if isLongModeActive { return special.cs.l != 0 ? .long64 : .compatibility }
        if registers.rflags & 1 << 17 != 0 { return .virtual8086 }
        return special.cs.db != 0 ? .protected32 : .protected16
    }

    var isLongModeActive: Bool { special.efer & 1 << 10 != 0 }
    var isPagingOn: Bool { special.cr0 & 1 << 31 != 0 }
    var isWriteProtectOn: Bool { special.cr0 & 1 << 16 != 0 }
    var hasSMEP: Bool { special.cr4 & 1 << 20 != 0 }
    var hasSMAP: Bool { special.cr4 & 1 << 21 != 0 }
    var interruptsAreOn: Bool { registers.rflags & 1 << 9 != 0 }
    var isAlignmentCheckOn: Bool { registers.rflags & 1 << 18 != 0 }
    var ioPrivilegeLevel: UInt8 { UInt8(registers.rflags >> 12 & 3) }
    /// The privilege level that memory accesses are checked at.
    var privilegeLevel: UInt8 { mode == .real ? 0 : mode == .virtual8086 ? 3 : special.ss.dpl }

    /// The size of a stack slot, in bytes.
    var wordSize: Int {
        switch mode {
        case .long64: 8
        case .protected32, .compatibility: 4
        case .real, .protected16, .virtual8086: 2
        }
    }

    /// How instructions are decoded: the default size of addresses, in bits.
    var codeBits: Int { mode == .long64 ? 64 : special.cs.db != 0 ? 32 : 16 }

    /// RSP as far as the stack segment uses it.
    var stackPointer: UInt64 {
        mode == .long64 ? registers.rsp : registers.rsp & (special.ss.db != 0 ? 0xffff_ffff : 0xffff)
    }

    /// The address of the instruction before paging.
    var linearInstructionPointer: UInt64 { linear(special.cs, registers.rip) }
    var linearStackPointer: UInt64 { linear(special.ss, stackPointer) }

    /// With the base that 64-bit mode ignores for all segments but FS and GS.
    private func linear(_ segment: kvm_segment, _ offset: UInt64) -> UInt64 {
        mode == .long64 ? offset : (segment.base &+ offset) & 0xffff_ffff
    }

    /// Outside long mode linear addresses end at 4 GiB and start again.
    func wrapped(_ linear: UInt64) -> UInt64 {
        isLongModeActive ? linear : linear & 0xffff_ffff
    }

    /// In long mode an address must repeat its top implemented bit up to bit 63.
    func isCanonical(_ address: UInt64) -> Bool {
        guard isLongModeActive else { return true }
        let unused: Int64 = special.cr4 & 1 << 12 != 0 ? 7 : 16
        let signed = Int64(bitPattern: address)
        return (signed << unused) >> unused == signed
    }
}
