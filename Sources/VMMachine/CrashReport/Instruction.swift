/// One machine instruction, taken apart as far as it takes to say what memory it touches: not what it computes. Source:
/// Intel SDM volume 2, chapter 2 and appendix A.
struct Instruction: Sendable, Equatable {
    /// The table that the opcode is looked up in: its escape bytes, or the map that a VEX or EVEX prefix names.
    enum Map: Sendable {
        case one, two, three38, three3A, other
    }

    enum Encoding: Sendable {
        case legacy, vex, evex
    }

    struct ModRM: Sendable, Equatable {
        let mod: UInt8
        /// Without the bit that REX adds: what tells the instructions of a group apart.
        let group: UInt8
        /// With that bit.
        let register: Int
        let rm: Int

        var isMemory: Bool { mod != 3 }
    }

    /// A memory operand: base + index * scale + displacement.
    struct Address: Sendable, Equatable {
        var base: Int? = nil
        var index: Int? = nil
        var scale: UInt64 = 1
        var displacement: UInt64 = 0
        var isRelativeToRIP = false
        /// Registers that this decoder cannot make an address of: EVEX scales displacements by what it does not know.
        var isUnknown = false
    }

    var map = Map.one
    var encoding = Encoding.legacy
    var opcode: UInt8 = 0
    var hasOperandSizePrefix = false
    var hasAddressSizePrefix = false
    /// 0xf2 or 0xf3, the last of them.
    var repeatPrefix: UInt8? = nil
    var segmentPrefix: CPUSnapshot.SegmentName? = nil
    var rex: UInt8 = 0
    var modRM: ModRM? = nil
    var address: Address? = nil
    /// The bytes that follow opcode, ModRM and displacement, sign-extended; far pointers, 6 bytes long, in one number.
    var immediate: UInt64 = 0
    var length = 0
    /// 16, 32 or 64.
    let bits: Int

    var isWide: Bool { rex & 8 != 0 }
    var hasREX: Bool { rex != 0 }

    /// The size of an ordinary operand, in bytes.
    var operandSize: Int {
        if bits == 64, isWide { return 8 }
        return (bits == 16) != hasOperandSizePrefix ? 2 : 4
    }

    /// The size of what pushes, pops and near branches move.
    var stackOperandSize: Int {
        bits == 64 ? (hasOperandSizePrefix ? 2 : 8) : operandSize
    }

    /// The size of the address arithmetic, in bytes.
    var addressSize: Int {
        switch bits {
        case 64: hasAddressSizePrefix ? 4 : 8
        case 32: hasAddressSizePrefix ? 2 : 4
        default: hasAddressSizePrefix ? 4 : 2
        }
    }

    /// Whether it is this one of the one-byte opcodes.
    func isOne(_ opcodes: UInt8...) -> Bool {
        map == .one && encoding == .legacy && opcodes.contains(opcode)
    }

    func isTwo(_ opcodes: UInt8...) -> Bool {
        map == .two && encoding == .legacy && opcodes.contains(opcode)
    }

    var group: UInt8? { modRM?.group }
}
