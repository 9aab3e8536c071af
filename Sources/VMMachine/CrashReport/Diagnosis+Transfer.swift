/// Jumps, calls and returns that fault before they arrive (Intel SDM volume 2, "RET", "IRET", "JMP", "CALL").
extension Diagnosis {
    func transferFault() -> Fault? {
        guard let instruction else { return nil }
        if instruction.isOne(0xc2, 0xc3) { return nearReturnFault(instruction) }
        if instruction.isOne(0xff), instruction.group == 2 || instruction.group == 4 {
            return indirectFault(instruction)
        }
        if instruction.isOne(0xca, 0xcb) { return farReturnFault(instruction) }
        if instruction.isOne(0xcf) { return interruptReturnFault(instruction) }
        return farJumpFault(instruction)
    }

    private func stackWord(_ index: Int, size: Int) -> UInt64? {
        view.word(at: view.cpu.linearStackPointer &+ UInt64(index * size), size: size)
    }

    private func nonCanonical(_ target: UInt64, _ what: String) -> Fault? {
        guard view.cpu.mode == .long64, !view.cpu.isCanonical(target) else { return nil }
        return Fault(
            vector: 13, what: "\(what) \(Hex.short(target)), which is no canonical address (#GP), at \(location)")
    }

    private func nearReturnFault(_ instruction: Instruction) -> Fault? {
        guard let target = stackWord(0, size: instruction.bits == 64 ? 8 : instruction.operandSize) else { return nil }
        return nonCanonical(target, "returned to")
    }

    private func indirectFault(_ instruction: Instruction) -> Fault? {
        guard instruction.bits == 64, let modRM = instruction.modRM else { return nil }
        let operand = EffectiveAddresses(instruction: instruction, cpu: view.cpu).explicit
        let target =
            modRM.isMemory ? operand.flatMap { view.word(at: $0.linear, size: 8) } : view.cpu.register(modRM.rm)
        return target.flatMap { nonCanonical($0, modRM.group == 2 ? "called" : "jumped to") }
    }

    private func farReturnFault(_ instruction: Instruction) -> Fault? {
        let size = instruction.operandSize
        guard let target = stackWord(0, size: size), let selector = stackWord(1, size: size) else { return nil }
        return codeSegmentFault(selector, "returned far to", isReturn: true) ?? nonCanonical(target, "returned far to")
    }

    private func farJumpFault(_ instruction: Instruction) -> Fault? {
        let size = instruction.operandSize
        if instruction.bits != 64, instruction.isOne(0x9a, 0xea) {
            return codeSegmentFault(instruction.immediate >> UInt64(size * 8), "jumped far to", isReturn: false)
        }
        guard instruction.isOne(0xff), instruction.group == 3 || instruction.group == 5,
            let operand = EffectiveAddresses(instruction: instruction, cpu: view.cpu).explicit,
            let selector = view.word(at: operand.linear &+ UInt64(size), size: 2)
        else { return nil }
        return codeSegmentFault(selector, "jumped far to", isReturn: false)
    }

    private func interruptReturnFault(_ instruction: Instruction) -> Fault? {
        let cpu = view.cpu
        let size = instruction.operandSize
        guard cpu.mode != .real, cpu.mode != .virtual8086, let target = stackWord(0, size: size),
            let selector = stackWord(1, size: size), let flags = stackWord(2, size: size)
        else { return nil }
        // A return to virtual-8086 mode takes real-mode selectors.
        if !cpu.isLongModeActive, flags & 1 << 17 != 0 { return nil }
        let verb = "returned by iret to"
        let hint = instruction.bits == 64 && size == 4 ? " (iret pops 4-byte words here: perhaps iretq was meant)" : ""
        let fault =
            codeSegmentFault(selector, verb, isReturn: true) ?? returnStackFault(instruction, selector)
            ?? nonCanonical(target, verb)
        return fault.map { Fault(vector: $0.vector, what: $0.what + hint, address: $0.address) }
    }

    /// The SS that comes off the stack with the old RSP: in 64-bit mode always, elsewhere when the level changes.
    private func returnStackFault(_ instruction: Instruction, _ code: UInt64) -> Fault? {
        let level = UInt8(code & 3)
        guard view.cpu.mode == .long64 || level > view.cpu.privilegeLevel,
            let selector = stackWord(4, size: instruction.operandSize)
        else { return nil }
        return stackSegmentFault(selector, "returned by iret to a stack in", level: level)
    }

    /// Why a selector cannot go into CS.
    private func codeSegmentFault(_ selector: UInt64, _ what: String, isReturn: Bool) -> Fault? {
        guard view.cpu.mode != .real, view.cpu.mode != .virtual8086 else { return nil }
        let selector = selector & 0xffff
        let start = "\(what) code segment \(Hex.short(selector)) at \(location)"
        switch SegmentTables(view: view).descriptor(selector) {
        case .null:
            return Fault(vector: 13, what: "\(start), a null selector (#GP)")
        case .missing(let clause, let vector):
            return Fault(vector: vector, what: "\(start): \(clause) (\(vector == 14 ? "#PF" : "#GP"))")
        case .found(let descriptor):
            // Call gates, task gates and task states lead somewhere else.
            if !isReturn, descriptor.isSystem { return nil }
            let level = isReturn ? UInt8(selector & 3) : view.cpu.privilegeLevel
            return codeObjection(descriptor, level).map { Fault(vector: $0.1, what: "\(start), which \($0.0)") }
        }
    }

    private func codeObjection(_ descriptor: SegmentDescriptor, _ level: UInt8) -> (String, UInt8)? {
        guard descriptor.isCode else { return ("is \(descriptor.kind) (#GP)", 13) }
        if level < view.cpu.privilegeLevel {
            return ("asks for CPL \(level) from CPL \(view.cpu.privilegeLevel) (#GP)", 13)
        }
        if !descriptor.isConforming, descriptor.privilegeLevel != level {
            return ("has DPL \(descriptor.privilegeLevel), not \(level) (#GP)", 13)
        }
        if !descriptor.isPresent { return ("is not present (#NP)", 11) }
        if view.cpu.isLongModeActive, descriptor.isLong, descriptor.isDefault32 {
            return ("has both L and D set (#GP)", 13)
        }
        return nil
    }
}
