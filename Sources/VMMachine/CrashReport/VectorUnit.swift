/// Instructions that work only once the guest has turned on the part of the processor they need (Intel SDM volume 3,
/// section 2.5 and chapter 14; volume 2, section 2.5 for what each checks).
enum VectorUnit {
    case x87, mmx, sse, fxsave, avx, xsave, fsgsbase

    init?(_ instruction: Instruction) {
        switch (instruction.encoding, instruction.map) {
        case (.vex, _), (.evex, _):
            guard !instruction.isVEXOfGeneralRegisters else { return nil }
            self = .avx
        case (.legacy, .one):
            guard (0xd8...0xdf).contains(instruction.opcode) else { return nil }
            self = .x87
        case (.legacy, .two):
            guard let use = Self(twoByte: instruction) else { return nil }
            self = use
        case (.legacy, .three38):
            // CRC32, MOVBE, ADX and INVPCID use general registers.
            guard instruction.opcode < 0x80 || (0xc8...0xdf).contains(instruction.opcode) else { return nil }
            self = instruction.opcode < 0x20 && !instruction.hasOperandSizePrefix ? .mmx : .sse
        case (.legacy, .three3A):
            self = instruction.opcode == 0x0f && !instruction.hasOperandSizePrefix ? .mmx : .sse
        case (.legacy, .other):
            return nil
        }
    }

    private init?(twoByte i: Instruction) {
        let isPlain = !i.hasOperandSizePrefix && i.repeatPrefix == nil
        switch i.opcode {
        case 0x01:
            guard i.modRM?.mod == 3, i.group == 2, let rm = i.modRM?.rm, rm < 2 else { return nil }
            self = .xsave
        case 0xae:
            guard let use = Self(saving: i) else { return nil }
            self = use
        case 0x10...0x17, 0x28, 0x29, 0x2b, 0x2e, 0x2f, 0x50...0x5f, 0x7c, 0x7d, 0xc2, 0xc6, 0xd0:
            self = .sse
        case 0x60...0x6b, 0x6e...0x77, 0x7e, 0x7f, 0xd1...0xfe, 0xc4, 0xc5, 0x2a, 0x2c, 0x2d:
            self = isPlain ? .mmx : .sse
        case 0x6c, 0x6d:
            self = .sse
        default:
            return nil
        }
    }

    private init?(saving i: Instruction) {
        guard i.modRM?.isMemory == true else {
            guard i.repeatPrefix == 0xf3, let group = i.group, group < 4, i.bits == 64 else { return nil }
            self = .fsgsbase
            return
        }
        switch i.group {
        case 0, 1: self = .fxsave
        case 2, 3: self = .sse
        case 4, 5: self = .xsave
        case 6 where !i.hasOperandSizePrefix && i.repeatPrefix == nil: self = .xsave
        default: return nil
        }
    }

    var name: String {
        switch self {
        case .x87: "an x87 instruction"
        case .mmx: "an MMX instruction"
        case .sse: "an SSE instruction"
        case .fxsave: "fxsave or fxrstor"
        case .avx: "an AVX instruction"
        case .xsave: "an instruction of the xsave family"
        case .fsgsbase: "an instruction that moves the FS or GS base"
        }
    }

    /// What forbids it: the exception, and the setting at fault.
    func objection(cr0: UInt64, cr4: UInt64) -> (vector: UInt8, setting: String)? {
        let isEmulated = cr0 & 1 << 2 != 0
        let isSwitched = cr0 & 1 << 3 != 0
        let hasSSE = cr4 & 1 << 9 != 0
        let hasXSAVE = cr4 & 1 << 18 != 0
        switch self {
        case .x87 where isEmulated: return (7, "CR0.EM set: clear it")
        case .fxsave where isEmulated: return (7, "CR0.EM set: clear it")
        case .mmx where isEmulated: return (6, "CR0.EM set: clear it")
        case .sse where isEmulated: return (6, "CR0.EM set: clear it, and set CR4.OSFXSR")
        case .sse where !hasSSE: return (6, "CR4.OSFXSR clear: set it (bit 9)")
        case .avx where !hasXSAVE: return (6, "CR4.OSXSAVE clear: set it (bit 18), then XCR0 by xsetbv")
        case .xsave where !hasXSAVE: return (6, "CR4.OSXSAVE clear: set it (bit 18)")
        case .fsgsbase: return cr4 & 1 << 16 == 0 ? (6, "CR4.FSGSBASE clear: set it (bit 16)") : nil
        default: return isSwitched ? (7, "CR0.TS set: clear it (clts)") : nil
        }
    }
}

extension Instruction {
    /// BMI1 and BMI2 are VEX-encoded, but use general registers.
    fileprivate var isVEXOfGeneralRegisters: Bool {
        guard encoding == .vex else { return false }
        return switch map {
        case .three38: opcode == 0xf2 || opcode == 0xf3 || opcode == 0xf5 || opcode == 0xf6 || opcode == 0xf7
        case .three3A: opcode == 0xf0
        case .one, .two, .other: false
        }
    }
}
