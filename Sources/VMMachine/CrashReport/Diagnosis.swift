/// Why a guest died, as far as its registers and memory tell: the first exception there can have been, and why it could
/// not be handled. Where they do not tell, it says no more than they do.
struct Diagnosis {
    let view: GuestView

    /// What most likely happened at the instruction pointer.
    struct Fault {
        let vector: UInt8
        /// What happened, as the part of a sentence after "vCPU 0".
        let what: String
        /// The linear address whose translation failed, where it was that.
        var address: UInt64? = nil
    }

    static let doubleFault: UInt8 = 8

    /// One sentence for a triple fault: what began it, and why no handler stopped it.
    func tripleFault() -> String {
        tripleFault(after: firstFault())
    }

    func tripleFault(after fault: Fault?) -> String {
        "\(fault?.what ?? unknownFault), \(consequence(of: fault)): a triple fault"
    }

    private func consequence(of fault: Fault?) -> String {
        let table = InterruptTable(view: view)
        if table.isMissing { return "but no interrupt table is loaded (IDT limit 0)" }
        let second = table.obstacle(to: Self.doubleFault)
        if let fault, let first = table.obstacle(to: fault.vector) {
            guard let second, second != first else { return "but \(first)" }
            // What ails one gate often ails them all: said once.
            let isAlike = first.replacing("vector \(fault.vector)", with: "vector \(Self.doubleFault)") == second
            return "but \(first), and \(isAlike ? "likewise for the double fault (vector 8)" : second)"
        }
        guard let second else { return "and more exceptions came while that one was being delivered" }
        return fault == nil
            ? "and \(second)" : "a second exception came while that one was being delivered, and \(second)"
    }

    /// One sentence for an instruction fetch that KVM could not do, or another instruction it could not emulate.
    func emulationFailure() -> String {
        if let fetch = fetchFault() { return fetch.what }
        if isInZeros { return "\(ranIntoZeros), which as code access memory that is not there" }
        let bytes = Hex.bytes(view.bytes(at: view.cpu.linearInstructionPointer, count: 8))
        // Processors run nearly everything themselves: KVM emulates what reaches for an address without memory.
        if let (linear, physical) = operandWithoutMemory() {
            return
                "accessed \(view.name(linear)) (guest-physical \(Hex.short(physical)), no memory there) at \(location) "
                + "with an instruction that the host's KVM cannot emulate: \(bytes)"
        }
        return "executed an instruction that the host's KVM cannot emulate at \(location): \(bytes)"
    }

    func operandWithoutMemory() -> (linear: UInt64, physical: UInt64)? {
        for access in accesses {
            for linear in access.pageStarts {
                if case .mapped(let physical, _) = view.walk(linear).result, !view.hasRAM(at: physical) {
                    return (linear, physical)
                }
            }
        }
        return nil
    }

    /// One sentence for an exception or interrupt that KVM could not deliver: a table or stack that the processor needs for
    /// it has no memory behind it.
    func deliveryFailure(_ data: [UInt64]) -> String {
        let numbers = data.map(Hex.short).joined(separator: " ")
        // Intel SDM volume 3, section 26.9.3; AMD's event information has the same lowest byte.
        let vector = data.first.map { UInt8(truncatingIfNeeded: $0) }
        let what =
            vector.map { "could not enter the handler of vector \($0)" } ?? "could not enter an interrupt handler"
        let reason =
            vector.flatMap(InterruptTable(view: view).obstacle)
            ?? "the interrupt table, GDT, task state or stack has perhaps no memory behind it"
        return "\(what) at \(location): \(reason) (KVM internal error, suberror 3, data \(numbers))"
    }

    /// Whether there is nothing at the instruction pointer: no code has several of the instruction that zeros are.
    var isInZeros: Bool {
        let bytes = view.bytes(at: view.cpu.linearInstructionPointer, count: 8)
        return bytes.count == 8 && bytes.allSatisfy { $0 == 0 }
    }

    var ranIntoZeros: String { "ran into memory without code at \(location): there are only zeros" }

    var location: String { view.name(view.cpu.linearInstructionPointer) }

    private var unknownFault: String {
        // An interrupt needs a table as well, and it comes at any instruction.
        let what = view.cpu.interruptsAreOn ? "took an interrupt or exception" : "took an exception"
        let address = view.cpu.special.cr2
        let note = view.cpu.isPagingOn && address != 0 ? " (cr2 is \(view.name(address)), perhaps from earlier)" : ""
        return "\(what) at \(location)\(note)"
    }

    /// In the order in which the processor looks for them (Intel SDM volume 3, table 7-2).
    func firstFault() -> Fault? {
        fetchFault() ?? opcodeFault() ?? privilegeFault() ?? operandFault() ?? divisionFault() ?? transferFault()
            ?? segmentLoadFault() ?? systemRegisterFault()
    }

    /// What is at the instruction pointer; nil where it cannot be read as a whole.
    var instruction: Instruction? {
        let bytes = view.bytes(at: view.cpu.linearInstructionPointer, count: Instruction.maximumLength)
        return Instruction(bytes, bits: view.cpu.codeBits)
    }

    var accesses: [MemoryAccess] {
        guard let instruction else { return [] }
        return EffectiveAddresses(instruction: instruction, cpu: view.cpu).accesses
    }
}
