extension CrashReport {
    /// - Parameters:
    ///   - view: the guest as the CPU that died saw it.
    ///   - others: the other CPUs.
    ///   - history: the dead CPU's last exits, oldest first.
    init(cause: Cause, view: GuestView, others: [GuestView], history: [ExitRecord]) {
        self.cause = cause
        self.vcpu = view.cpu.index
        self.summary = "vCPU \(view.cpu.index) \(Self.sentence(cause, view))"
        let cpu = view.cpu
        var sections = [Section(title: "vCPU \(cpu.index)", lines: RegisterText.lines(cpu, view))]
        sections.append(Section(title: "code at rip", lines: [Self.code(view)]))
        sections.append(Self.walk("page walk for rip", cpu.linearInstructionPointer, view))
        if cpu.isPagingOn, cpu.special.cr2 != cpu.linearInstructionPointer {
            sections.append(Self.walk("page walk for cr2", cpu.special.cr2, view))
        }
        sections.append(Section(title: "backtrace (by frame pointers)", lines: Self.backtrace(view)))
        sections.append(Section(title: "last exits, oldest first", lines: history.map { ExitText.line($0, view) }))
        if !others.isEmpty {
            sections.append(Section(title: "other vCPUs", lines: others.map(Self.otherCPU)))
        }
        self.sections = sections
    }

    private static func sentence(_ cause: Cause, _ view: GuestView) -> String {
        switch cause {
        case .tripleFault:
            return Diagnosis(view: view).tripleFault()
        case .internalError(suberror: 1, _):
            return Diagnosis(view: view).emulationFailure()
        case .internalError(let suberror, let data):
            let what =
                switch suberror {
                case 2: "raised an exception while another was being delivered"
                case 3: "faulted in the middle of delivering an event"
                case 4: "left the guest for a reason KVM did not expect"
                default: "met an error inside KVM"
                }
            let numbers = data.map(Hex.short).joined(separator: " ")
            return
                "\(what) at \(view.name(view.cpu.linearInstructionPointer)) (KVM internal error, suberror \(suberror), "
                + "data \(numbers))"
        case .failedEntry(let reason):
            return "could not enter the guest: the processor refused its state (hardware reason \(Hex.short(reason)))"
        case .memoryFault(let address, let count):
            return "touched \(count) bytes at guest-physical \(Hex.short(address)) that the host could not provide"
        case .systemEvent(let type):
            return "reported a crash of its system (event type \(type))"
        case .unexpectedExit(let reason):
            return "left the guest for a reason this program cannot handle (KVM exit reason \(reason))"
        }
    }

    /// The bytes before and after the instruction pointer, those from it on after a bracket.
    private static func code(_ view: GuestView) -> String {
        let rip = view.cpu.linearInstructionPointer
        let after = view.bytes(at: rip, count: 16)
        guard !after.isEmpty else { return "cannot be read: there is no memory at \(view.name(rip))" }
        let before = rip >= 16 ? view.bytes(at: rip - 16, count: 16) : []
        return (before.count == 16 ? Hex.bytes(before) + " " : "") + "<\(Hex.bytes(after.prefix(1)))> "
            + Hex.bytes(after.dropFirst())
    }

    private static func walk(_ title: String, _ address: UInt64, _ view: GuestView) -> Section {
        let walk = view.walk(address)
        var lines = walk.steps.map { step in
            let name = "\(step.level.rawValue)[\(step.index)]"
            return name + String(repeating: " ", count: max(1, 10 - name.count))
                + "at \(Hex.short(step.address)) = \(Hex.padded(step.entry, 16))  \(flags(step.entry))"
        }
        switch walk.result {
        case .mapped(let physical, let pageSize):
            let page = pageSize == 0 ? "paging is off" : "\(ByteSize(bytes: pageSize)) page"
            let ram = view.hasRAM(at: physical) ? "" : "; NO MEMORY THERE (RAM is \(ramText(view)))"
            lines.append("=> guest-physical \(Hex.short(physical)) (\(page))\(ram)")
        case .notPresent(let level):
            lines.append("=> NOT MAPPED: the \(level.rawValue) entry is not present")
        case .tableOutsideMemory(let level, let address):
            lines.append("=> NOT MAPPED: the \(level.rawValue) entry would be at \(Hex.short(address)), outside memory")
        case .nonCanonical:
            lines.append("=> NOT MAPPED: not a canonical address")
        }
        return Section(title: "\(title), \(view.name(address))", lines: lines)
    }

    private static func ramText(_ view: GuestView) -> String {
        view.memory.ranges.map(\.description).joined(separator: ", ")
    }

    private static func flags(_ entry: UInt64) -> String {
        guard entry & 1 != 0 else { return "not present" }
        var words = [entry & 2 != 0 ? "writable" : "read-only", entry & 4 != 0 ? "user" : "supervisor"]
        if entry & 1 << 7 != 0 { words.append("large or PAT") }
        if entry & 1 << 63 != 0 { words.append("no-execute") }
        return words.joined(separator: ", ")
    }

    private static func backtrace(_ view: GuestView) -> [String] {
        Backtrace.addresses(view).enumerated().map { depth, address in
            // A return address is the start of the next line, perhaps of the next function: the call is just before it.
            let call = depth == 0 ? address : address &- 1
            let symbol = view.symbols?.symbol(at: call).map {
                "  \($0.name)+\(Hex.short($0.offset + (depth == 0 ? 0 : 1)))"
            }
            return "#\(depth)\(depth < 10 ? " " : "") \(Hex.padded(address, 16))\(symbol ?? "")"
        }
    }

    private static func otherCPU(_ view: GuestView) -> String {
        "vCPU \(view.cpu.index): \(view.cpu.mode.rawValue), CPL \(view.cpu.privilegeLevel), "
            + "interrupts \(view.cpu.interruptsAreOn ? "on" : "off"), rip \(view.name(view.cpu.linearInstructionPointer))"
    }
}
