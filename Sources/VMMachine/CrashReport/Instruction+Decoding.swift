extension Instruction {
    /// The longest instruction there is.
    static let maximumLength = 15

    /// - Parameters:
    ///   - bytes: the code, as much as can be read up to `maximumLength`.
    ///   - bits: 16, 32 or 64.
    /// - Returns: nil where the bytes end before the instruction does.
    init?(_ bytes: [UInt8], bits: Int) {
        self.init(bits: bits)
        var reader = ByteReader(bytes.prefix(Self.maximumLength))
        guard let first = takePrefixes(&reader), takeOpcode(first, &reader) else { return nil }
        if hasModRM {
            guard takeModRM(&reader) else { return nil }
        }
        guard let value = reader.number(immediateSize) else { return nil }
        immediate = value
        length = reader.position
    }

    /// - Returns: the first byte that is no prefix.
    private mutating func takePrefixes(_ reader: inout ByteReader) -> UInt8? {
        while let byte = reader.next() {
            switch byte {
            case 0x66: hasOperandSizePrefix = true
            case 0x67: hasAddressSizePrefix = true
            case 0xf2, 0xf3: repeatPrefix = byte
            case 0xf0: break
            case 0x26: segmentPrefix = .es
            case 0x2e: segmentPrefix = .cs
            case 0x36: segmentPrefix = .ss
            case 0x3e: segmentPrefix = .ds
            case 0x64: segmentPrefix = .fs
            case 0x65: segmentPrefix = .gs
            case 0x40...0x4f where bits == 64:
                rex = byte
                continue
            default:
                return byte
            }
            // A REX prefix counts only directly before the opcode.
            rex = 0
        }
        return nil
    }

    private mutating func takeOpcode(_ first: UInt8, _ reader: inout ByteReader) -> Bool {
        switch first {
        case 0x0f:
            return takeEscapedOpcode(&reader)
        case 0xc4, 0xc5, 0x62:
            guard let next = reader.peek() else { return false }
            // Outside 64-bit mode these are LES, LDS and BOUND unless the next byte would name two registers.
            guard bits == 64 || next >> 6 == 3 else { break }
            return first == 0x62 ? takeEVEX(&reader) : takeVEX(isLong: first == 0xc4, &reader)
        default:
            break
        }
        opcode = first
        return true
    }

    private mutating func takeEscapedOpcode(_ reader: inout ByteReader) -> Bool {
        guard let second = reader.next() else { return false }
        map = second == 0x38 ? .three38 : second == 0x3a ? .three3A : .two
        guard map != .two else {
            opcode = second
            return true
        }
        guard let third = reader.next() else { return false }
        opcode = third
        return true
    }

    /// Intel SDM volume 2, section 2.3.5: the bits that REX has are stored inverted.
    private mutating func takeVEX(isLong: Bool, _ reader: inout ByteReader) -> Bool {
        encoding = .vex
        guard let second = reader.next() else { return false }
        var last = second
        map = .two
        if isLong {
            guard let third = reader.next() else { return false }
            map = Self.map(numbered: second & 0x1f)
            rex = ~second >> 5 & 7 | third >> 4 & 8
            last = third
        } else {
            rex = ~second >> 5 & 4
        }
        takeImpliedPrefix(last)
        return takeFinalOpcode(&reader)
    }

    /// Intel SDM volume 2, section 2.7.1.
    private mutating func takeEVEX(_ reader: inout ByteReader) -> Bool {
        encoding = .evex
        guard let first = reader.next(), let second = reader.next(), reader.next() != nil else { return false }
        map = Self.map(numbered: first & 7)
        rex = ~first >> 5 & 7 | second >> 4 & 8
        takeImpliedPrefix(second)
        return takeFinalOpcode(&reader)
    }

    private mutating func takeImpliedPrefix(_ byte: UInt8) {
        switch byte & 3 {
        case 1: hasOperandSizePrefix = true
        case 2: repeatPrefix = 0xf3
        case 3: repeatPrefix = 0xf2
        default: break
        }
    }

    private mutating func takeFinalOpcode(_ reader: inout ByteReader) -> Bool {
        guard let byte = reader.next() else { return false }
        opcode = byte
        return true
    }

    private static func map(numbered number: UInt8) -> Map {
        switch number {
        case 1: .two
        case 2: .three38
        case 3: .three3A
        default: .other
        }
    }

    private mutating func takeModRM(_ reader: inout ByteReader) -> Bool {
        guard let byte = reader.next() else { return false }
        let modRM = ModRM(
            mod: byte >> 6, group: byte >> 3 & 7, register: Int(byte >> 3 & 7 | rex << 1 & 8),
            rm: Int(byte & 7 | rex << 3 & 8))
        self.modRM = modRM
        // Moves to and from control and debug registers take registers alone, whatever the mode bits say.
        guard modRM.isMemory, !isTwo(0x20, 0x21, 0x22, 0x23) else { return true }
        let address = addressSize == 2 ? Address(short: modRM, &reader) : Address(modRM, rex: rex, bits: bits, &reader)
        guard var address else { return false }
        if encoding == .evex, modRM.mod == 1 { address.isUnknown = true }
        self.address = address
        return true
    }
}

extension Instruction.Address {
    /// 32-bit and 64-bit addressing (Intel SDM volume 2, tables 2-2 and 2-3).
    fileprivate init?(_ modRM: Instruction.ModRM, rex: UInt8, bits: Int, _ reader: inout ByteReader) {
        var base: Int? = modRM.rm
        if modRM.rm & 7 == 4 {
            guard let sib = reader.next() else { return nil }
            let index = Int(sib >> 3 & 7 | rex << 2 & 8)
            // RSP cannot be an index: its number means that there is none.
            self.index = index == 4 ? nil : index
            scale = 1 << UInt64(sib >> 6)
            base = Int(sib & 7 | rex << 3 & 8)
        }
        var size = modRM.mod == 1 ? 1 : modRM.mod == 2 ? 4 : 0
        // RBP as the base without a displacement means a displacement without a base.
        if let number = base, number & 7 == 5, modRM.mod == 0 {
            isRelativeToRIP = bits == 64 && modRM.rm & 7 == 5
            base = nil
            size = 4
        }
        self.base = base
        guard let displacement = reader.number(size) else { return nil }
        self.displacement = displacement
    }

    /// 16-bit addressing (Intel SDM volume 2, table 2-1).
    fileprivate init?(short modRM: Instruction.ModRM, _ reader: inout ByteReader) {
        let pairs: [(Int?, Int?)] = [(3, 6), (3, 7), (5, 6), (5, 7), (6, nil), (7, nil), (5, nil), (3, nil)]
        (base, index) = pairs[modRM.rm & 7]
        var size = modRM.mod == 1 ? 1 : modRM.mod == 2 ? 2 : 0
        if modRM.mod == 0, modRM.rm & 7 == 6 {
            base = nil
            size = 2
        }
        guard let displacement = reader.number(size) else { return nil }
        self.displacement = displacement
    }
}

/// Takes bytes from the front.
private struct ByteReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = Array(bytes)
    }

    func peek() -> UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    mutating func next() -> UInt8? {
        guard let byte = peek() else { return nil }
        position += 1
        return byte
    }

    /// A little-endian number of up to 8 bytes, sign-extended; 0 where there are none.
    mutating func number(_ size: Int) -> UInt64? {
        guard size > 0 else { return 0 }
        var value: UInt64 = 0
        for index in 0..<size {
            guard let byte = next() else { return nil }
            value |= UInt64(byte) << UInt64(index * 8)
        }
        guard size < 8, value >> UInt64(size * 8 - 1) & 1 != 0 else { return value }
        return value | UInt64.max << UInt64(size * 8)
    }
}
