import CKVM

/// Registers as lines of text.
enum RegisterText {
    static func lines(_ view: GuestView) -> [String] {
        let cpu = view.cpu
        let rip = place("rip", cpu.registers.rip, cpu.linearInstructionPointer, view)
        let rsp = place("rsp", cpu.registers.rsp, cpu.linearStackPointer, view)
        return [
            "\(cpu.mode.rawValue), CPL \(cpu.privilegeLevel), interrupts \(cpu.interruptsAreOn ? "on" : "off"), "
                + "paging \(cpu.isPagingOn ? "on" : "off")",
            "\(rip), \(rsp)",
        ] + general(cpu) + segments(cpu.special) + control(cpu.special)
    }

    /// Another CPU, in a line.
    static func summary(_ view: GuestView) -> String {
        let cpu = view.cpu
        let state =
            switch cpu.mpState {
            case .uninitialized?: ", waits to be initialized, never started"
            case .initReceived?: ", waits for its start-up message"
            case .startupReceived?: ", about to start"
            case .halted?: ", halted"
            case .runnable?, nil: ""
            }
        return "vCPU \(cpu.index): \(cpu.mode.rawValue), CPL \(cpu.privilegeLevel), "
            + "interrupts \(cpu.interruptsAreOn ? "on" : "off"), "
            + place("rip", cpu.registers.rip, cpu.linearInstructionPointer, view) + state
    }

    /// Names are those of linear addresses: a register is one only where its segment starts at zero.
    private static func place(_ name: String, _ value: UInt64, _ linear: UInt64, _ view: GuestView) -> String {
        value == linear
            ? "\(name) \(view.name(value))" : "\(name) \(Hex.short(value)) (linear \(view.name(linear)))"
    }

    private static func general(_ cpu: CPUSnapshot) -> [String] {
        let r = cpu.registers
        let named: [(String, UInt64)] = [
            ("rax", r.rax), ("rbx", r.rbx), ("rcx", r.rcx), ("rdx", r.rdx), ("rsi", r.rsi), ("rdi", r.rdi),
            ("rbp", r.rbp), ("rsp", r.rsp), ("r8 ", r.r8), ("r9 ", r.r9), ("r10", r.r10), ("r11", r.r11),
            ("r12", r.r12), ("r13", r.r13), ("r14", r.r14), ("r15", r.r15),
        ]
        var lines = stride(from: 0, to: named.count, by: 4).map { first in
            named[first..<(first + 4)].map { "\($0.0) \(Hex.padded($0.1, 16))" }.joined(separator: "  ")
        }
        lines.append("rflags \(Hex.padded(r.rflags, 8)) [\(flags(r.rflags, rflagsBits))]")
        return lines
    }

    private static func segments(_ s: kvm_sregs) -> [String] {
        let segments = [("cs", s.cs), ("ss", s.ss), ("ds", s.ds), ("es", s.es), ("fs", s.fs), ("gs", s.gs)]
        var lines = (segments + [("tr", s.tr), ("ldt", s.ldt)]).map { name, segment in
            "\(name)\(name.count < 3 ? " " : "") \(Hex.padded(UInt64(segment.selector), 4)) "
                + "base \(Hex.padded(segment.base, 16)) limit \(Hex.padded(UInt64(segment.limit), 8)) \(kind(segment))"
        }
        for (name, table) in [("gdt", s.gdt), ("idt", s.idt)] {
            lines.append(
                "\(name)      base \(Hex.padded(table.base, 16)) limit \(Hex.padded(UInt64(table.limit), 8))")
        }
        return lines
    }

    private static func kind(_ segment: kvm_segment) -> String {
        guard segment.present != 0, segment.unusable == 0 else { return "unusable" }
        guard segment.s != 0 else { return "system type \(segment.type)" }
        guard segment.type & 8 != 0 else {
            return "\(segment.type & 2 != 0 ? "" : "read-only ")data, DPL \(segment.dpl)"
        }
        return "code\(segment.l != 0 ? "64" : segment.db != 0 ? "32" : "16"), DPL \(segment.dpl)"
    }

    private static func control(_ s: kvm_sregs) -> [String] {
        [
            "cr0 \(Hex.padded(s.cr0, 8)) [\(flags(s.cr0, cr0Bits))]",
            "cr2 \(Hex.padded(s.cr2, 16))  cr3 \(Hex.padded(s.cr3, 16))  cr8 \(s.cr8)",
            "cr4 \(Hex.padded(s.cr4, 8)) [\(flags(s.cr4, cr4Bits))]",
            "efer \(Hex.padded(s.efer, 4)) [\(flags(s.efer, eferBits))]",
        ]
    }

    private static func flags(_ value: UInt64, _ names: [(UInt64, String)]) -> String {
        names.filter { value & 1 << $0.0 != 0 }.map(\.1).joined(separator: " ")
    }

    private static let rflagsBits: [(UInt64, String)] = [
        (0, "CF"), (2, "PF"), (4, "AF"), (6, "ZF"), (7, "SF"), (8, "TF"), (9, "IF"), (10, "DF"), (11, "OF"),
        (16, "RF"), (17, "VM"), (18, "AC"),
    ]
    private static let cr0Bits: [(UInt64, String)] = [
        (0, "PE"), (1, "MP"), (2, "EM"), (3, "TS"), (4, "ET"), (5, "NE"), (16, "WP"), (18, "AM"), (29, "NW"),
        (30, "CD"), (31, "PG"),
    ]
    private static let cr4Bits: [(UInt64, String)] = [
        (0, "VME"), (1, "PVI"), (2, "TSD"), (3, "DE"), (4, "PSE"), (5, "PAE"), (6, "MCE"), (7, "PGE"), (8, "PCE"),
        (9, "OSFXSR"), (10, "OSXMMEXCPT"), (11, "UMIP"), (12, "LA57"), (13, "VMXE"), (16, "FSGSBASE"), (17, "PCIDE"),
        (18, "OSXSAVE"), (20, "SMEP"), (21, "SMAP"), (22, "PKE"), (23, "CET"),
    ]
    private static let eferBits: [(UInt64, String)] = [
        (0, "SCE"), (8, "LME"), (10, "LMA"), (11, "NXE"), (12, "SVME"),
    ]
}
