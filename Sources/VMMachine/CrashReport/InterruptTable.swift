/// The processor's table of interrupt handlers, asked one question: could this vector have been delivered? Source: Intel
/// SDM volume 3, sections 7.10 to 7.14.
struct InterruptTable {
    let view: GuestView

    var isMissing: Bool { view.cpu.special.idt.limit == 0 }

    /// Why the handler of an exception could not be entered; nil where nothing speaks against it.
    func obstacle(to vector: UInt8) -> String? {
        let cpu = view.cpu
        let table = cpu.special.idt
        let entrySize: UInt64 = cpu.mode == .real ? 4 : cpu.isLongModeActive ? 16 : 8
        let offset = UInt64(vector) * entrySize
        guard UInt64(table.limit) >= offset + entrySize - 1 else {
            return isMissing
                ? "no interrupt table is loaded (IDT limit 0)"
                : "the interrupt table ends before vector \(vector) (IDT limit \(Hex.short(UInt64(table.limit))))"
        }
        let address = cpu.wrapped(table.base &+ offset)
        let last = cpu.wrapped(address &+ (entrySize - 1))
        for address in [address, last] {
            if let objection = view.objection(to: .read, at: address, level: 0) {
                return "the interrupt table's entry for vector \(vector), at \(view.name(address)), \(objection)"
            }
        }
        if cpu.mode == .real { return view.word(at: address, size: 4).flatMap { realObstacle(to: vector, $0) } }
        return gate(vector).flatMap { obstacle(to: vector, $0) }
    }

    /// The gate of a vector in protected or long mode; nil where there is none to be read.
    func gate(_ vector: UInt8) -> InterruptGate? {
        let cpu = view.cpu
        let size: UInt64 = cpu.isLongModeActive ? 16 : 8
        let offset = UInt64(vector) * size
        guard UInt64(cpu.special.idt.limit) >= offset + size - 1 else { return nil }
        let address = cpu.wrapped(cpu.special.idt.base &+ offset)
        guard let low = view.word(at: address, size: 8) else { return nil }
        guard cpu.isLongModeActive else { return InterruptGate(low: low, high: 0) }
        return view.word(at: address &+ 8, size: 8).map { InterruptGate(low: low, high: $0) }
    }

    /// A segment and an offset: nothing there can be wrong but the place itself.
    private func realObstacle(to vector: UInt8, _ entry: UInt64) -> String? {
        let handler = (entry >> 16 & 0xffff) << 4 + (entry & 0xffff)
        guard view.objection(to: .fetch, at: handler) != nil else { return nil }
        return "the handler of vector \(vector), at \(Hex.short(handler)), has no memory behind it"
    }

    private func obstacle(to vector: UInt8, _ gate: InterruptGate) -> String? {
        // The type is checked before the present bit, but an empty entry is better called empty.
        guard gate.low != 0 || gate.high != 0 else {
            return "the interrupt table has no handler for vector \(vector) (an empty entry, not present)"
        }
        guard let kind = gate.kind, !view.cpu.isLongModeActive || kind == .interrupt || kind == .trap else {
            return "the interrupt table's entry for vector \(vector) is no interrupt gate (type \(gate.type))"
        }
        guard gate.isPresent else {
            return "the interrupt table has no handler for vector \(vector) (not present)"
        }
        if kind == .task { return nil }
        return targetObstacle(to: vector, gate)
    }

    private func targetObstacle(to vector: UInt8, _ gate: InterruptGate) -> String? {
        let owner = "the interrupt table's entry for vector \(vector)"
        switch SegmentTables(view: view).descriptor(gate.selector) {
        case .null:
            return "\(owner) has a null code segment"
        case .missing(let clause, _):
            return "\(clause), which \(owner) names"
        case .found(let code):
            if let objection = objection(to: code) {
                return "\(owner) names selector \(Hex.short(gate.selector)), which \(objection)"
            }
            let level = code.isConforming ? view.cpu.privilegeLevel : code.privilegeLevel
            return stackObstacle(gate, level) ?? handlerObstacle(to: vector, gate, code, level)
        }
    }

    private func objection(to code: SegmentDescriptor) -> String? {
        guard code.isCode else { return "is \(code.kind), not a code segment" }
        guard code.isPresent else { return "is not present" }
        guard code.privilegeLevel <= view.cpu.privilegeLevel else {
            return "is a code segment of DPL \(code.privilegeLevel), less privileged than the code at fault"
        }
        guard view.cpu.isLongModeActive else { return nil }
        guard code.isLong, !code.isDefault32 else { return "is no 64-bit code segment (L clear, or D set)" }
        return nil
    }

    private func stackObstacle(_ gate: InterruptGate, _ level: UInt8) -> String? {
        let cpu = view.cpu
        let isInner = level < cpu.privilegeLevel
        let interruptStack = cpu.isLongModeActive ? gate.interruptStack : 0
        guard isInner || interruptStack != 0 else {
            let top = cpu.isLongModeActive ? cpu.linearStackPointer & ~0xf : cpu.linearStackPointer
            return stackObjection(top, level: level).map {
                "its stack at \(view.name(top)) cannot take the exception's frame: \($0)"
            }
        }
        switch TaskState(view: view).stack(for: level, interruptStack: interruptStack) {
        case .missing(let clause):
            return clause
        case .top(let top, let name):
            return stackObjection(top, level: level).map {
                "the handler's stack at \(view.name(top)) (\(name)) is no good: \($0)"
            }
        }
    }

    /// Why pushing what the processor pushes would fault (Intel SDM volume 3, section 7.14.2: SS, RSP, RFLAGS, CS, RIP and
    /// perhaps an error code).
    private func stackObjection(_ top: UInt64, level: UInt8) -> String? {
        let cpu = view.cpu
        let size: UInt64 = cpu.isLongModeActive ? 40 : 12
        for address in [top &- 1, top &- size].map(cpu.wrapped) {
            guard cpu.isCanonical(address) else { return "\(Hex.short(address)) is not canonical" }
            if let objection = view.objection(to: .write, at: address, level: level) {
                return "\(Hex.short(address)) \(objection)"
            }
        }
        return nil
    }

    private func handlerObstacle(
        to vector: UInt8, _ gate: InterruptGate, _ code: SegmentDescriptor, _ level: UInt8
    ) -> String? {
        let base = view.cpu.isLongModeActive ? 0 : code.base
        let handler = view.cpu.isLongModeActive ? gate.offset : view.cpu.wrapped(base &+ gate.offset)
        guard let objection = view.objection(to: .fetch, at: handler, level: level) else { return nil }
        return "the handler of vector \(vector), at \(view.name(handler)), \(objection)"
    }
}
