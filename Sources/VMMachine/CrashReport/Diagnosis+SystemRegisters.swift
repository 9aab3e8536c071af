/// Writes that the processor refuses for their value (Intel SDM volume 3, section 2.5; volume 2, "WRMSR").
extension Diagnosis {
    /// Comes last: whether a register takes a value depends on the processor, so all that is certain is that such an
    /// instruction seldom faults for another reason.
    func systemRegisterFault() -> Fault? {
        let cpu = view.cpu
        guard cpu.privilegeLevel == 0, let instruction else { return nil }
        let index = Hex.short(cpu.registers.rcx & 0xffff_ffff)
        if instruction.isTwo(0x32) {
            return Fault(
                vector: 13, what: "executed rdmsr at \(location): the MSR \(index) (ecx) perhaps does not exist (#GP?)")
        }
        if instruction.isTwo(0x30) {
            let value = cpu.registers.rdx << 32 | cpu.registers.rax & 0xffff_ffff
            return Fault(
                vector: 13,
                what:
                    "executed wrmsr at \(location): the MSR \(index) (ecx) perhaps does not exist, or refuses the value "
                    + "\(Hex.short(value)) (#GP?)")
        }
        guard instruction.isTwo(0x22), let modRM = instruction.modRM else { return nil }
        let value = cpu.register(modRM.rm) & (cpu.mode == .long64 ? .max : 0xffff_ffff)
        let name = "cr\(modRM.register)"
        guard [0, 2, 3, 4, 8].contains(modRM.register) else {
            return Fault(vector: 6, what: "wrote to \(name), which does not exist (#UD), at \(location)")
        }
        let reason = controlObjection(modRM.register, value) ?? "which the processor perhaps refuses"
        return Fault(vector: 13, what: "wrote \(Hex.short(value)) to \(name) at \(location), \(reason) (#GP?)")
    }

    private func controlObjection(_ number: Int, _ value: UInt64) -> String? {
        let special = view.cpu.special
        switch number {
        case 0:
            let turnsPagingOn = value & 1 << 31 != 0
            if turnsPagingOn, value & 1 == 0 { return "with paging (PG) but without protection (PE)" }
            if value & 1 << 29 != 0, value & 1 << 30 == 0 { return "with NW set but CD clear" }
            guard turnsPagingOn, !view.cpu.isPagingOn, special.efer & 1 << 8 != 0 else { return nil }
            if special.cr4 & 1 << 5 == 0 { return "which turns on long mode (EFER.LME), but CR4.PAE is clear" }
            return special.cs.l != 0 ? "which turns on long mode from a 64-bit code segment" : nil
        case 4:
            guard view.cpu.isLongModeActive else { return nil }
            if value & 1 << 5 == 0 { return "which clears PAE in long mode" }
            return (value ^ special.cr4) & 1 << 12 != 0 ? "which changes LA57 in long mode" : nil
        default:
            return nil
        }
    }
}
