/// What an instruction does with the memory operand that its ModRM byte names (Intel SDM volume 2, appendix A).
extension Instruction {
    /// Some only compute with the address, or take it as a hint.
    var touchesOperand: Bool {
        switch map {
        case .one: return opcode != 0x8d
        case .two:
            // Prefetches and long no-ops; INVLPG; CLFLUSH may fault, but reads nothing.
            if opcode == 0x0d || (0x18...0x1f).contains(opcode) { return encoding != .legacy }
            return !(opcode == 0x01 && group == 7)
        case .three38, .three3A: return true
        case .other: return false
        }
    }

    var writesOperand: Bool {
        switch map {
        case .one: writesOneByteOperand
        case .two: writesTwoByteOperand
        case .three38: encoding == .legacy && opcode == 0xf1
        case .three3A: (0x14...0x17).contains(opcode) || opcode == 0x19 || opcode == 0x39
        case .other: false
        }
    }

    private var writesOneByteOperand: Bool {
        let group = group ?? 0
        return switch opcode {
        case 0x00...0x37: opcode & 7 < 2
        case 0x80...0x83: group != 7
        case 0x86...0x89, 0x8c, 0x8f, 0xc0, 0xc1, 0xc6, 0xc7, 0xd0...0xd3: true
        case 0xd9, 0xdd: group == 2 || group == 3 || group > 5
        case 0xdb, 0xdf: (1...3).contains(group) || group > 5
        case 0xf6, 0xf7: group == 2 || group == 3
        case 0xfe, 0xff: group < 2
        default: false
        }
    }

    private var writesTwoByteOperand: Bool {
        let group = group ?? 0
        return switch opcode {
        case 0x00: group < 2
        case 0x01: group < 2 || group == 4
        case 0x11, 0x13, 0x17, 0x29, 0x2b, 0x7f, 0xd6, 0xe7, 0x90...0x9f, 0xb0, 0xb1, 0xc0, 0xc1, 0xc3: true
        case 0x7e: repeatPrefix != 0xf3
        case 0xa4, 0xa5, 0xac, 0xad, 0xab, 0xb3, 0xbb: true
        case 0xba: group > 4
        case 0xc7: group == 1
        case 0xae: group == 0 || group == 3 || group == 4 || group == 6
        default: false
        }
    }

    /// The operand's size in bytes, where it differs roughly from the ordinary: at most 64 bytes off.
    var operandByteCount: Int {
        if encoding != .legacy { return encoding == .vex ? 32 : 64 }
        switch map {
        case .one: return oneByteOperandByteCount
        case .two: return twoByteOperandByteCount
        case .three38: return opcode >= 0xf0 ? operandSize : 16
        case .three3A, .other: return 16
        }
    }

    private var oneByteOperandByteCount: Int {
        switch opcode {
        case 0x00...0x3f, 0x80...0x8b, 0xc0, 0xc1, 0xc6, 0xc7, 0xd0...0xd3, 0xf6, 0xf7:
            opcode & 1 == 0 && opcode != 0x62 ? 1 : opcode == 0x82 ? 1 : operandSize
        case 0xfe: 1
        case 0x63: bits == 64 ? 4 : 2
        case 0x8c, 0x8e: 2
        case 0xc4, 0xc5: operandSize + 2
        case 0xd8...0xdf: 8
        case 0xff:
            group == 3 || group == 5 ? operandSize + 2 : group == 0 || group == 1 ? operandSize : stackOperandSize
        case 0x8f: stackOperandSize
        default: operandSize
        }
    }

    private var twoByteOperandByteCount: Int {
        switch opcode {
        case 0x00: 2
        case 0x01: group ?? 0 < 4 ? (bits == 64 ? 10 : 6) : 2
        case 0x90...0x9f, 0xb0, 0xb6, 0xbe, 0xc0: 1
        case 0xb7, 0xbf: 2
        case 0xb2, 0xb4, 0xb5: operandSize + 2
        case 0xae: group == 2 || group == 3 ? 4 : 512
        case 0xc7: isWide ? 16 : 8
        case 0x6e, 0x7e, 0xd6: 8
        case 0x10...0x17, 0x28...0x2f, 0x50...0x7f, 0xc2, 0xc4...0xc6, 0xd0...0xff: 16
        default: operandSize
        }
    }
}
