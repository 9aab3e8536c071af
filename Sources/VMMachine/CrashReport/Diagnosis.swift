/// Why a guest died, as far as its registers and memory tell: the first exception there can have been, and why it could
/// not be handled.
struct Diagnosis {
    let view: GuestView

    /// What most likely happened at the instruction pointer.
    struct Fault {
        let vector: UInt8
        /// What happened, as the part of a sentence after "vCPU 0".
        let what: String
    }

    /// One sentence for a triple fault: what began it, and why no handler stopped it.
    func tripleFault() -> String {
        let fault = firstFault()
        let table = InterruptTable(view: view)
        var sentence = "\(fault?.what ?? "took an exception at \(location)")"
        if let obstacle = fault.flatMap({ table.obstacle(to: $0.vector) }) {
            sentence += ", but \(obstacle)"
            if view.cpu.special.idt.limit != 0, let second = table.obstacle(to: Self.doubleFault), second != obstacle {
                sentence += ", and \(second)"
            }
        } else if view.cpu.special.idt.limit == 0 {
            sentence += ", but no interrupt table is loaded (IDT limit 0)"
        } else if isStackUnusable {
            sentence += ", but its stack at \(view.name(view.cpu.linearStackPointer)) cannot take the exception's frame"
        } else if let obstacle = table.obstacle(to: Self.doubleFault) {
            sentence += ", a second exception came while that one was being delivered, and \(obstacle)"
        } else {
            sentence += ", and more exceptions came while that one was being delivered"
        }
        return sentence + ": a triple fault"
    }

    /// One sentence for an instruction fetch that KVM could not do, or another instruction it could not emulate.
    func emulationFailure() -> String {
        if let fetch = fetchFault() { return fetch.what }
        let bytes = view.bytes(at: view.cpu.linearInstructionPointer, count: 8)
        return "executed an instruction that the host's KVM cannot emulate at \(location): \(Hex.bytes(bytes))"
    }

    static let doubleFault: UInt8 = 8

    private var location: String { view.name(view.cpu.linearInstructionPointer) }

    /// Whether pushing one more word on the stack would fault.
    private var isStackUnusable: Bool {
        let next = view.cpu.linearStackPointer &- UInt64(view.cpu.wordSize)
        return view.bytes(at: next, count: 1).isEmpty || !view.walk(next).isWritable
    }

    private func firstFault() -> Fault? {
        fetchFault() ?? instructionFault() ?? pageFault()
    }

    /// The instruction could not even be read.
    private func fetchFault() -> Fault? {
        let address = view.cpu.linearInstructionPointer
        let walk = view.walk(address)
        switch walk.result {
        case .nonCanonical:
            return Fault(vector: 13, what: "jumped to \(Hex.short(address)), which is no canonical address (#GP)")
        case .notPresent(let level):
            return Fault(
                vector: 14,
                what: "jumped to \(view.name(address)), which is not mapped (\(level.rawValue) entry not present, #PF)")
        case .tableOutsideMemory(let level, let table):
            return Fault(
                vector: 14,
                what: "jumped to \(view.name(address)), whose \(level.rawValue) entry is at guest-physical "
                    + "\(Hex.short(table)), where there is no memory")
        case .mapped(let physical, _):
            guard view.hasRAM(at: physical) else {
                return Fault(
                    vector: 14,
                    what: "jumped to \(view.name(address)): guest-physical \(Hex.short(physical)) has no memory")
            }
            if view.cpu.isPagingOn, !walk.isExecutable {
                return Fault(vector: 14, what: "jumped to \(view.name(address)), which is not executable (#PF)")
            }
            if view.cpu.isPagingOn, view.cpu.privilegeLevel == 3, !walk.isUser {
                return Fault(vector: 14, what: "jumped at CPL 3 to \(view.name(address)), a supervisor page (#PF)")
            }
            return nil
        }
    }

    /// The instruction is one that always, or most likely, raises an exception.
    private func instructionFault() -> Fault? {
        var code = view.bytes(at: view.cpu.linearInstructionPointer, count: 15)[...]
        while let byte = code.first, [0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65].contains(byte) {
            code.removeFirst()
        }
        if view.cpu.mode == .long64, let byte = code.first, byte & 0xf0 == 0x40 { code.removeFirst() }
        guard let first = code.first else { return nil }
        let second = code.dropFirst().first
        switch (first, second) {
        case (0x0f, 0x0b?): return Fault(vector: 6, what: "executed ud2, an invalid opcode (#UD), at \(location)")
        case (0x0f, 0xff?), (0x0f, 0xb9?):
            return Fault(vector: 6, what: "executed an invalid opcode (#UD) at \(location)")
        case (0xcc, _): return Fault(vector: 3, what: "executed int3, a breakpoint (#BP), at \(location)")
        case (0xcd, let vector?):
            return Fault(vector: vector, what: "executed int 0x\(String(vector, radix: 16)) at \(location)")
        case (0xf6, let modRM?), (0xf7, let modRM?):
            guard modRM & 0x30 == 0x30, !isFaultingAccess(view.cpu.special.cr2) || modRM >> 6 == 3 else { return nil }
            return Fault(vector: 0, what: "divided by zero, or to a quotient too large (#DE), at \(location)")
        default: return nil
        }
    }

    /// CR2 holds an address that cannot be accessed.
    private func pageFault() -> Fault? {
        let cpu = view.cpu
        let address = cpu.special.cr2
        guard cpu.isPagingOn, isFaultingAccess(address) else { return nil }
        let walk = view.walk(address)
        let why =
            switch walk.result {
            case .notPresent(let level): "not mapped: its \(level.rawValue) entry is not present"
            case .tableOutsideMemory(let level, _): "not mapped: its \(level.rawValue) is outside guest memory"
            default: walk.isWritable ? "a supervisor page" : "read-only"
            }
        let stack = cpu.linearStackPointer
        let distance = address > stack ? address - stack : stack - address
        if distance <= 4096 {
            return Fault(
                vector: 14,
                what:
                    "ran off its stack at \(location): rsp is \(view.name(stack)), and \(Hex.short(address)) is \(why) "
                    + "(#PF)")
        }
        let kind = address < 4096 ? "used a null pointer: accessed" : "accessed"
        return Fault(vector: 14, what: "\(kind) \(view.name(address)) at \(location), which is \(why) (#PF)")
    }

    private func isFaultingAccess(_ address: UInt64) -> Bool {
        guard view.cpu.isPagingOn else { return false }
        let walk = view.walk(address)
        guard case .mapped = walk.result else { return true }
        if view.cpu.privilegeLevel == 3 { return address != 0 && (!walk.isUser || !walk.isWritable) }
        return address != 0 && !walk.isWritable && view.cpu.special.cr0 & 1 << 16 != 0
    }
}
