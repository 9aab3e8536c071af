/// Which opcodes have a ModRM byte and how long an immediate follows (Intel SDM volume 2, appendix A.3).
extension Instruction {
    var hasModRM: Bool {
        switch map {
        case .one:
            switch opcode {
            case 0x00...0x3f: opcode & 7 < 4
            case 0x62, 0x63, 0x69, 0x6b, 0x80...0x8f, 0xc0, 0xc1, 0xc4...0xc7, 0xd0...0xd3, 0xd8...0xdf: true
            case 0xf6, 0xf7, 0xfe, 0xff: true
            default: false
            }
        case .two:
            switch opcode {
            case 0x04...0x0c, 0x0e, 0x30...0x37, 0x77, 0x80...0x8f, 0xa0...0xa2, 0xa8...0xaa, 0xc8...0xcf: false
            default: true
            }
        case .three38, .three3A, .other:
            true
        }
    }

    /// In bytes.
    var immediateSize: Int {
        switch map {
        case .one: oneByteImmediateSize
        case .two: twoByteImmediateSize
        case .three3A: 1
        case .three38, .other: 0
        }
    }

    private var oneByteImmediateSize: Int {
        let full = operandSize == 2 ? 2 : 4
        return switch opcode {
        case 0x00...0x3f where opcode & 7 == 4: 1
        case 0x00...0x3f where opcode & 7 == 5: full
        case 0x68, 0x69, 0x81, 0xa9, 0xc7: full
        case 0xe8, 0xe9: bits == 64 ? 4 : full
        case 0x6a, 0x6b, 0x70...0x7f, 0x80, 0x82, 0x83, 0xa8, 0xb0...0xb7, 0xc0, 0xc1, 0xc6, 0xcd, 0xd4, 0xd5: 1
        case 0xe0...0xe7, 0xeb: 1
        case 0xa0...0xa3: addressSize
        case 0xb8...0xbf: operandSize
        case 0xc2, 0xca: 2
        case 0xc8: 3
        case 0x9a, 0xea: full + 2
        case 0xf6 where (modRM?.group ?? 7) < 2: 1
        case 0xf7 where (modRM?.group ?? 7) < 2: full
        default: 0
        }
    }

    private var twoByteImmediateSize: Int {
        switch opcode {
        case 0x80...0x8f: bits == 64 || operandSize == 4 ? 4 : 2
        case 0x0f, 0x70...0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4...0xc6: 1
        default: 0
        }
    }
}
