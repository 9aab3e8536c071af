import VMAddressSpace

extension Diagnosis {
    /// The instruction touches memory that it cannot touch.
    func operandFault() -> Fault? {
        let accesses = accesses
        for access in accesses {
            if let fault = addressFault(access) ?? segmentFault(access) { return fault }
        }
        for access in accesses {
            if let fault = pageFault(access) { return fault }
        }
        return alignmentFault()
    }

    private func addressFault(_ access: MemoryAccess) -> Fault? {
        let cpu = view.cpu
        guard cpu.mode == .long64, let wrong = access.pageStarts.first(where: { !cpu.isCanonical($0) }) else {
            return nil
        }
        let registers = access.registers.map { "\(cpu.registerName($0)) is \(Hex.short(cpu.register($0)))" }
        let values = registers.isEmpty ? "" : " (\(registers.joined(separator: ", ")))"
        // The stack segment has an exception of its own.
        let what = access.isStack ? "(#SS)" : "(#GP)"
        return Fault(
            vector: access.isStack ? 12 : 13,
            what: "used a non-canonical address in an operand at \(location): \(Hex.short(wrong))\(values) \(what)")
    }

    /// Outside 64-bit mode segments have limits and rights (Intel SDM volume 3, chapter 6).
    private func segmentFault(_ access: MemoryAccess) -> Fault? {
        let cpu = view.cpu
        guard cpu.mode != .long64 else { return nil }
        let segment = cpu.segment(access.segment)
        let name = access.segment.rawValue
        let vector: UInt8 = access.segment == .ss ? 12 : 13
        let code = vector == 12 ? "#SS" : "#GP"
        if cpu.mode != .real, cpu.mode != .virtual8086 {
            if segment.unusable != 0 || segment.present == 0 {
                return Fault(
                    vector: 13, what: "used the segment \(name), which holds a null selector, at \(location) (#GP)")
            }
            if access.kind == .write, segment.type & 8 != 0 || segment.type & 2 == 0 {
                return Fault(
                    vector: 13, what: "wrote to the segment \(name), which cannot be written, at \(location) (#GP)")
            }
        }
        // Segments that expand down are left alone: their limit is the lower end.
        let isDataDown = segment.type & 0xc == 4
        let last = access.count <= 8 ? access.offset &+ (access.count - 1) : access.offset
        guard !isDataDown, max(access.offset, last) > UInt64(segment.limit) else { return nil }
        return Fault(
            vector: vector,
            what: "accessed offset \(Hex.short(access.offset)) of the segment \(name) at \(location), beyond its limit "
                + "\(Hex.short(UInt64(segment.limit))) (\(code))")
    }

    /// CR2 keeps the address of the last page fault, which may be long past: it counts only where this instruction reaches
    /// for it, and cannot.
    private func pageFault(_ access: MemoryAccess) -> Fault? {
        guard view.cpu.isPagingOn else { return nil }
        let address = view.cpu.special.cr2
        var candidates: [UInt64] = []
        if access.explains(address) {
            candidates = [address]
        } else if isOfDelivery(address) {
            candidates = access.pageStarts
        }
        for candidate in candidates {
            let walk = view.walk(candidate)
            if let objection = walk.objection(to: .init(access.kind), by: view.cpu) {
                return Fault(vector: 14, what: sentence(access, candidate, objection), address: candidate)
            }
        }
        return nil
    }

    private func sentence(_ access: MemoryAccess, _ address: UInt64, _ objection: String) -> String {
        let stack = view.cpu.linearStackPointer
        let page = PageSize.size4K.bytes
        let isNear = min(address &- stack, stack &- address) <= page
        if access.isStack, isNear {
            let hasStack = [stack, stack &+ page].contains { view.objection(to: .write, at: $0) == nil }
            let what = hasStack ? "ran off its stack" : "used a stack pointer that leads nowhere"
            return "\(what) at \(location): rsp is \(view.name(stack)), and \(Hex.short(address)) \(objection) (#PF)"
        }
        if isInZeros {
            return "\(ranIntoZeros), which as code access \(view.name(address)), and that \(objection) (#PF)"
        }
        let kind = address < page ? "used a null pointer: accessed" : "accessed"
        return "\(kind) \(view.name(address)) at \(location), which \(objection) (#PF)"
    }

    /// Whether the processor may have faulted there on its way to a handler, which overwrites CR2.
    private func isOfDelivery(_ address: UInt64) -> Bool {
        let s = view.cpu.special
        let tables = [
            (s.idt.base, UInt64(s.idt.limit)), (s.gdt.base, UInt64(s.gdt.limit)),
            (s.tr.base, min(UInt64(s.tr.limit), 104)),
        ]
        // The frame that delivery pushes, the error code and alignment included.
        return tables.contains { $0.1 != 0 && address &- $0.0 <= $0.1 } || view.cpu.linearStackPointer &- address <= 64
    }

    /// Instructions that move 16 bytes at once want them aligned, some save areas even more.
    private func alignmentFault() -> Fault? {
        guard let instruction, let alignment = instruction.requiredAlignment,
            let access = EffectiveAddresses(instruction: instruction, cpu: view.cpu).explicit,
            !access.linear.isMultiple(of: alignment)
        else { return nil }
        let stack = access.isStack ? " (is the stack aligned as its functions expect?)" : ""
        return Fault(
            vector: 13,
            what:
                "accessed \(view.name(access.linear)), which is not aligned to \(alignment) bytes, at \(location) with an "
                + "instruction that needs it to be (#GP)\(stack)")
    }
}

extension Instruction {
    /// In bytes; nil where any address will do (Intel SDM volume 1, sections 4.1.1 and 13.4).
    fileprivate var requiredAlignment: UInt64? {
        guard map == .two, encoding == .legacy else { return nil }
        switch opcode {
        case 0x28, 0x29, 0x2b: return 16
        case 0x6f, 0x7f, 0xe7: return hasOperandSizePrefix && repeatPrefix == nil ? 16 : nil
        case 0xae where group == 0 || group == 1: return 16
        case 0xae where repeatPrefix == nil && (group == 4 || group == 5): return 64
        case 0xc7 where group == 1 && isWide: return 16
        default: return nil
        }
    }
}
