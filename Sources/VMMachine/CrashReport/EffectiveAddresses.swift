/// What memory an instruction touches, given the registers it is about to run with: its memory operand, and what it uses
/// without naming it. Tables of the processor that it reads besides (descriptors, page tables) are not in here.
struct EffectiveAddresses {
    let instruction: Instruction
    let cpu: CPUSnapshot

    /// In the order in which a fault is looked for; empty where it touches none, or is not understood.
    var accesses: [MemoryAccess] {
        guard instruction.map != .other else { return [] }
        var result: [MemoryAccess] = []
        if let explicit { result.append(explicit) }
        if instruction.encoding == .legacy { result += implicit }
        return result
    }

    /// The operand that ModRM, or an address in the instruction itself, names.
    var explicit: MemoryAccess? {
        let i = instruction
        if i.isOne(0xa0, 0xa1, 0xa2, 0xa3) {
            return MemoryAccess(
                cpu, i.segmentPrefix.map(effective) ?? .ds, i.immediate & CPUSnapshot.mask(i.addressSize),
                count: i.opcode & 1 == 0 ? 1 : i.operandSize, i.opcode < 0xa2 ? .read : .write, registers: [])
        }
        guard let address = i.address, !address.isUnknown, i.touchesOperand else { return nil }
        let isFrame = address.base == CPUSnapshot.stackRegister || address.base == CPUSnapshot.frameRegister
        return MemoryAccess(
            cpu, i.segmentPrefix.map(effective) ?? (isFrame ? .ss : .ds), offset(of: address),
            count: i.operandByteCount,
            i.writesOperand ? .write : .read, isStack: isFrame,
            registers: [address.base, address.index].compactMap { $0 })
    }

    private func offset(of address: Instruction.Address) -> UInt64 {
        var sum = address.displacement
        if address.isRelativeToRIP { sum &+= cpu.registers.rip &+ UInt64(instruction.length) }
        if let base = address.base { sum &+= cpu.register(base) }
        if let index = address.index { sum &+= cpu.register(index) &* address.scale }
        sum &+= bitOffset
        return sum & CPUSnapshot.mask(instruction.addressSize)
    }

    /// BT, BTS, BTR and BTC with a register address bits as far from the operand as the register says.
    private var bitOffset: UInt64 {
        guard instruction.isTwo(0xa3, 0xab, 0xb3, 0xbb), let number = instruction.modRM?.register else { return 0 }
        let size = instruction.operandSize
        let value = cpu.register(number) & CPUSnapshot.mask(size)
        let unused = Int64(64 - size * 8)
        let bits = (Int64(bitPattern: value) << unused) >> unused
        return UInt64(bitPattern: (bits >> Int64((size * 8).trailingZeroBitCount)) &* Int64(size))
    }

    /// 64-bit mode ignores prefixes for all segments but FS and GS.
    private func effective(_ segment: CPUSnapshot.SegmentName) -> CPUSnapshot.SegmentName {
        cpu.mode == .long64 && segment != .fs && segment != .gs ? .ds : segment
    }

    // MARK: what an instruction uses without naming it

    private var implicit: [MemoryAccess] {
        let i = instruction
        if i.map == .two { return twoByteImplicit }
        guard i.map == .one else { return [] }
        let size = i.stackOperandSize
        switch i.opcode {
        case 0x50...0x57, 0x68, 0x6a, 0x9c: return [pushed(size)]
        case 0x06, 0x0e, 0x16, 0x1e: return i.bits == 64 ? [] : [pushed(size)]
        case 0xe8: return [pushed(i.bits == 64 ? 8 : size)]
        case 0xc8: return [pushed(size)]
        case 0x60: return i.bits == 64 ? [] : [pushed(8 * size)]
        case 0xff: return groupFive(size)
        case 0x58...0x5f, 0x9d: return [popped(size)]
        case 0x07, 0x17, 0x1f: return i.bits == 64 ? [] : [popped(size)]
        case 0x8f: return i.group == 0 ? [popped(size)] : []
        case 0xc2, 0xc3: return [popped(i.bits == 64 ? 8 : size)]
        case 0xca, 0xcb: return [popped(2 * i.operandSize)]
        case 0xcf: return [popped((i.bits == 64 ? 5 : 3) * i.operandSize)]
        case 0x61: return i.bits == 64 ? [] : [popped(8 * size)]
        case 0xc9: return [left(size)]
        case 0xd7: return [translated]
        default: return string
        }
    }

    private var twoByteImplicit: [MemoryAccess] {
        switch instruction.opcode {
        case 0xa0, 0xa8: [pushed(instruction.stackOperandSize)]
        case 0xa1, 0xa9: [popped(instruction.stackOperandSize)]
        default: []
        }
    }

    /// CALL and PUSH of an operand.
    private func groupFive(_ size: Int) -> [MemoryAccess] {
        switch instruction.group {
        case 2: [pushed(instruction.bits == 64 ? 8 : size)]
        case 3: [pushed(2 * instruction.operandSize)]
        case 6: [pushed(size)]
        default: []
        }
    }

    private var stackMask: UInt64 {
        cpu.mode == .long64 ? .max : cpu.special.ss.db != 0 ? 0xffff_ffff : 0xffff
    }

    private func pushed(_ size: Int) -> MemoryAccess {
        let offset = (cpu.stackPointer &- UInt64(size)) & stackMask
        return MemoryAccess(
            cpu, .ss, offset, count: size, .write, isStack: true, registers: [CPUSnapshot.stackRegister])
    }

    private func popped(_ size: Int) -> MemoryAccess {
        MemoryAccess(
            cpu, .ss, cpu.stackPointer, count: size, .read, isStack: true, registers: [CPUSnapshot.stackRegister])
    }

    /// LEAVE pops from where RBP points.
    private func left(_ size: Int) -> MemoryAccess {
        MemoryAccess(
            cpu, .ss, cpu.registers.rbp & stackMask, count: size, .read, isStack: true,
            registers: [CPUSnapshot.frameRegister])
    }

    private var translated: MemoryAccess {
        let offset = (cpu.registers.rbx &+ cpu.registers.rax & 0xff) & CPUSnapshot.mask(instruction.addressSize)
        return MemoryAccess(
            cpu, instruction.segmentPrefix.map(effective) ?? .ds, offset, count: 1, .read, registers: [3, 0])
    }

    private var string: [MemoryAccess] {
        let i = instruction
        let mask = CPUSnapshot.mask(i.addressSize)
        if i.repeatPrefix != nil, cpu.registers.rcx & mask == 0 { return [] }
        let isPort = (0x6c...0x6f).contains(i.opcode)
        let size = i.opcode & 1 == 0 ? 1 : isPort ? min(i.operandSize, 4) : i.operandSize
        let source = MemoryAccess(
            cpu, i.segmentPrefix.map(effective) ?? .ds, cpu.registers.rsi & mask, count: size, .read, registers: [6])
        func target(_ kind: MemoryAccess.Kind) -> MemoryAccess {
            MemoryAccess(cpu, effective(.es), cpu.registers.rdi & mask, count: size, kind, registers: [7])
        }
        return switch i.opcode {
        case 0x6c, 0x6d, 0xaa, 0xab: [target(.write)]
        case 0x6e, 0x6f, 0xac, 0xad: [source]
        case 0xa4, 0xa5: [source, target(.write)]
        case 0xa6, 0xa7: [source, target(.read)]
        case 0xae, 0xaf: [target(.read)]
        default: []
        }
    }
}
