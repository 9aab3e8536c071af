extension Diagnosis {
    /// The instruction is not for this privilege level.
    func privilegeFault() -> Fault? {
        let cpu = view.cpu
        guard cpu.privilegeLevel > 0, let instruction else { return nil }
        if let name = instruction.kernelOnlyName {
            return Fault(
                vector: 13,
                what: "executed \(name), which is for CPL 0 alone, at CPL \(cpu.privilegeLevel) at \(location) (#GP)")
        }
        guard cpu.privilegeLevel > cpu.ioPrivilegeLevel else { return nil }
        if instruction.isOne(0xfa, 0xfb) {
            let name = instruction.opcode == 0xfa ? "cli" : "sti"
            return Fault(
                vector: 13,
                what:
                    "executed \(name) at CPL \(cpu.privilegeLevel) with IOPL \(cpu.ioPrivilegeLevel) at \(location) (#GP)"
            )
        }
        if instruction.isPortAccess {
            return Fault(
                vector: 13,
                what:
                    "used an I/O port at CPL \(cpu.privilegeLevel) with IOPL \(cpu.ioPrivilegeLevel) at \(location), which the "
                    + "TSS's I/O bitmap perhaps does not allow (#GP)")
        }
        return nil
    }
}

extension Instruction {
    fileprivate var isPortAccess: Bool {
        isOne(0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f)
    }

    /// What Intel SDM volume 3, section 6.9, "Privileged Instructions", calls it; nil for others.
    fileprivate var kernelOnlyName: String? {
        if isOne(0xf4) { return "hlt" }
        guard map == .two, encoding == .legacy else { return nil }
        switch opcode {
        case 0x00 where group == 2: return "lldt"
        case 0x00 where group == 3: return "ltr"
        case 0x01: return groupSevenName
        case 0x06: return "clts"
        case 0x07: return "sysret"
        case 0x08: return "invd"
        case 0x09: return "wbinvd"
        case 0x20: return "mov from a control register"
        case 0x21: return "mov from a debug register"
        case 0x22: return "mov to a control register"
        case 0x23: return "mov to a debug register"
        case 0x30: return "wrmsr"
        case 0x32: return "rdmsr"
        case 0x35: return "sysexit"
        default: return nil
        }
    }

    private var groupSevenName: String? {
        guard let modRM else { return nil }
        switch (modRM.isMemory, modRM.group, modRM.rm & 7) {
        case (true, 2, _): return "lgdt"
        case (true, 3, _): return "lidt"
        case (_, 6, _): return "lmsw"
        case (true, 7, _): return "invlpg"
        case (false, 7, 0): return "swapgs"
        case (false, 2, 1): return "xsetbv"
        default: return nil
        }
    }
}
