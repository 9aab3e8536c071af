extension Diagnosis {
    /// DIV, IDIV or AAM, with the operands that make it fail.
    func divisionFault() -> Fault? {
        guard let instruction else { return nil }
        let isTenByte = instruction.isOne(0xd4) && instruction.bits != 64
        if isTenByte, instruction.immediate & 0xff == 0 { return divisionByZero }
        guard instruction.isOne(0xf6, 0xf7), let modRM = instruction.modRM, modRM.group >= 6 else { return nil }
        let size = instruction.opcode == 0xf6 ? 1 : instruction.operandSize
        guard let divisor = divisor(instruction, modRM, size) else { return nil }
        if divisor == 0 { return divisionByZero }
        let dividend = Dividend(view.cpu, size: size)
        guard modRM.group == 6 ? dividend.overflows(unsigned: divisor) : dividend.overflows(signed: divisor) else {
            return nil
        }
        return Fault(
            vector: 0,
            what: "divided by \(Hex.short(divisor)) to a quotient too large for its register (#DE) at \(location)")
    }

    private var divisionByZero: Fault {
        Fault(vector: 0, what: "divided by zero (#DE) at \(location)")
    }

    private func divisor(_ instruction: Instruction, _ modRM: Instruction.ModRM, _ size: Int) -> UInt64? {
        guard modRM.isMemory else { return view.cpu.register(modRM.rm, size: size, hasREX: instruction.hasREX) }
        guard let access = EffectiveAddresses(instruction: instruction, cpu: view.cpu).explicit else { return nil }
        return view.word(at: access.linear, size: size)
    }
}

/// What a division divides: AX for bytes, else rDX:rAX (Intel SDM volume 2, "DIV").
private struct Dividend {
    let high: UInt64
    let low: UInt64
    /// Of the divisor and the quotient, in bits.
    let bits: UInt64

    init(_ cpu: CPUSnapshot, size: Int) {
        let mask = CPUSnapshot.mask(size)
        bits = UInt64(size * 8)
        low = cpu.registers.rax & mask
        high = (size == 1 ? cpu.registers.rax >> 8 : cpu.registers.rdx) & mask
    }

    func overflows(unsigned divisor: UInt64) -> Bool {
        high >= divisor
    }

    func overflows(signed divisor: UInt64) -> Bool {
        let isNegative = high >> (bits - 1) & 1 != 0
        let isDivisorNegative = divisor >> (bits - 1) & 1 != 0
        let mask = CPUSnapshot.mask(Int(bits / 8))
        let size = isDivisorNegative ? (0 &- divisor) & mask : divisor
        var (top, bottom) = (high, low)
        if isNegative {
            bottom = (0 &- low) & mask
            top = (~high &+ (low == 0 ? 1 : 0)) & mask
        }
        guard top < size else { return true }
        // Less than 2^bits now, so the halves fit one 128-bit division.
        let quotient =
            bits == 64
            ? size.dividingFullWidth((top, bottom)).quotient : (top << bits | bottom) / size
        let largest = UInt64(1) << (bits - 1)
        return quotient > (isNegative != isDivisorNegative ? largest : largest - 1)
    }
}
