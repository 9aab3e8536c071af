extension Diagnosis {
    /// The instruction is one that raises an exception by itself, or that the processor does not take as it is set up.
    func opcodeFault() -> Fault? {
        guard let instruction else { return nil }
        return deliberateFault(instruction) ?? invalidOpcode(instruction)
            ?? vectorUnitFault(instruction)
    }

    private func deliberateFault(_ instruction: Instruction) -> Fault? {
        if instruction.isOne(0xcc) {
            return Fault(vector: 3, what: "executed int3, a breakpoint (#BP), at \(location)")
        }
        guard instruction.isOne(0xcd) else { return nil }
        let vector = UInt8(truncatingIfNeeded: instruction.immediate)
        let name = "int \(Hex.short(UInt64(vector)))"
        let cpu = view.cpu
        if cpu.mode != .real, let gate = InterruptTable(view: view).gate(vector), gate.isPresent,
            gate.privilegeLevel < cpu.privilegeLevel
        {
            return Fault(
                vector: 13,
                what:
                    "executed \(name) at CPL \(cpu.privilegeLevel), whose gate has DPL \(gate.privilegeLevel) (#GP), at "
                    + location)
        }
        return Fault(vector: vector, what: "executed \(name) at \(location)")
    }

    private func invalidOpcode(_ instruction: Instruction) -> Fault? {
        if instruction.isTwo(0x0b) {
            return Fault(vector: 6, what: "executed ud2, an invalid opcode (#UD), at \(location)")
        }
        if instruction.isTwo(0xff, 0xb9) {
            return Fault(vector: 6, what: "executed an invalid opcode (#UD) at \(location)")
        }
        if instruction.bits == 64, instruction.isMissingIn64BitMode {
            return Fault(
                vector: 6,
                what:
                    "executed opcode 0x\(Hex.padded(UInt64(instruction.opcode), 2)), which 64-bit mode does not have (#UD), "
                    + "at \(location)")
        }
        if instruction.isTwo(0x05, 0x07), view.cpu.special.efer & 1 == 0 {
            let name = instruction.opcode == 5 ? "syscall" : "sysret"
            return Fault(vector: 6, what: "executed \(name) at \(location) with EFER.SCE clear (#UD)")
        }
        return nil
    }

    private func vectorUnitFault(_ instruction: Instruction) -> Fault? {
        guard let use = VectorUnit(instruction),
            let objection = use.objection(cr0: view.cpu.special.cr0, cr4: view.cpu.special.cr4)
        else { return nil }
        let code = objection.vector == 6 ? "#UD" : "#NM"
        return Fault(
            vector: objection.vector, what: "executed \(use.name) at \(location) with \(objection.setting) (\(code))")
    }
}

extension Instruction {
    fileprivate var isMissingIn64BitMode: Bool {
        isOne(
            0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5,
            0xd6, 0xea)
    }
}
