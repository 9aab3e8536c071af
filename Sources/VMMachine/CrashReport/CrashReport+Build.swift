extension CrashReport {
    /// - Parameters:
    ///   - view: the guest as the CPU that died saw it.
    ///   - others: the other CPUs.
    ///   - history: the dead CPU's last exits, oldest first.
    init(cause: Cause, view: GuestView, others: [GuestView], history: [ExitRecord]) {
        let isLost = cause == .tripleFault && ResetState.isState(of: view.cpu)
        let diagnosis = Diagnosis(view: view)
        let fault = cause.isOfInstruction && !isLost ? diagnosis.firstFault() : nil
        let sentence =
            isLost ? ResetState.sentence(history, view) : Self.sentence(cause, diagnosis, fault)
        self.cause = cause
        self.vcpu = view.cpu.index
        self.summary = "vCPU \(view.cpu.index) \(sentence)"
        var sections =
            isLost
            ? [Section(title: "vCPU \(view.cpu.index)", lines: ResetState.note)]
            : Self.stateSections(view) + Self.walks(diagnosis, fault, cause) + [Self.backtrace(view)]
        sections.append(
            Section(
                title: "last exits, oldest first (rip is at the instruction that caused one, or just after it)",
                lines: history.map { ExitText.line($0, view, isLost: isLost) }))
        if !others.isEmpty {
            sections.append(Section(title: "other vCPUs", lines: others.map(RegisterText.summary)))
        }
        self.sections = sections
    }

    private static func sentence(_ cause: Cause, _ diagnosis: Diagnosis, _ fault: Diagnosis.Fault?) -> String {
        switch cause {
        case .tripleFault:
            return diagnosis.tripleFault(after: fault)
        case .internalError(suberror: 1, _):
            return diagnosis.emulationFailure()
        case .internalError(suberror: 3, let data):
            return diagnosis.deliveryFailure(data)
        case .internalError(let suberror, let data):
            let what =
                switch suberror {
                case 2: "raised an exception while another was being delivered"
                case 4: "left the guest for a reason KVM did not expect"
                default: "met an error inside KVM"
                }
            let numbers = data.map(Hex.short).joined(separator: " ")
            return "\(what) at \(diagnosis.location) (KVM internal error, suberror \(suberror), data \(numbers))"
        case .failedEntry(let reason):
            return "could not enter the guest: the processor refused its state (hardware reason \(Hex.short(reason)))"
        case .memoryFault(let address, let count):
            return "touched \(count) bytes at guest-physical \(Hex.short(address)) that the host could not provide"
        case .systemEvent(let type):
            return SystemEventText.sentence(type)
        case .unknownHardwareReason(let reason):
            return
                "left the guest for a reason that the host's KVM does not know (hardware reason \(Hex.short(reason)))"
        case .unexpectedExit(let reason):
            return "left the guest for a reason this program cannot handle (KVM exit reason \(reason))"
        }
    }

    private static func stateSections(_ view: GuestView) -> [Section] {
        [
            Section(title: "vCPU \(view.cpu.index)", lines: RegisterText.lines(view)),
            Section(title: "code at rip", lines: [code(view)]),
        ]
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

    /// How the addresses in question are translated: where the instruction is, what it could not reach, and what the last
    /// page fault, this one or an earlier, was about.
    private static func walks(_ diagnosis: Diagnosis, _ fault: Diagnosis.Fault?, _ cause: Cause) -> [Section] {
        let view = diagnosis.view
        let rip = view.cpu.linearInstructionPointer
        let cr2 = view.cpu.special.cr2
        var sections = [PageWalkText.section("page walk for rip", rip, view)]
        let isEmulation = if case .internalError(suberror: 1, _) = cause { true } else { false }
        let operand = fault?.address ?? (isEmulation ? diagnosis.operandWithoutMemory()?.linear : nil)
        if let operand, operand != rip, operand != cr2 {
            sections.append(PageWalkText.section("page walk for the operand", operand, view))
        }
        // Zero is what CR2 holds before the first page fault.
        if view.cpu.isPagingOn, cr2 != rip, cr2 != 0 || operand == 0 {
            let age = fault?.address == cr2 ? "" : " (perhaps from earlier)"
            sections.append(PageWalkText.section("page walk for cr2\(age)", cr2, view))
        }
        return sections
    }

    private static func backtrace(_ view: GuestView) -> Section {
        Section(title: "backtrace (by frame pointers)", lines: BacktraceText.lines(view))
    }
}

extension CrashReport.Cause {
    /// Whether it is the instruction at the instruction pointer that failed.
    fileprivate var isOfInstruction: Bool {
        switch self {
        case .tripleFault, .internalError: true
        case .failedEntry, .memoryFault, .systemEvent, .unknownHardwareReason, .unexpectedExit: false
        }
    }
}
