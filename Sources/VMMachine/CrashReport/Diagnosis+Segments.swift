/// Loads of segment registers (Intel SDM volume 2, "MOV", "LTR", "LLDT").
extension Diagnosis {
    func segmentLoadFault() -> Fault? {
        let cpu = view.cpu
        guard cpu.mode != .real, cpu.mode != .virtual8086, let instruction else { return nil }
        if instruction.isOne(0x8e), let number = instruction.modRM.map({ Int($0.group) }) {
            guard let name = CPUSnapshot.SegmentName(number: number), name != .cs else {
                return Fault(
                    vector: 6, what: "moved to a segment register that cannot be moved to (#UD) at \(location)")
            }
            return operandWord(instruction).flatMap { loadFault($0, name) }
        }
        if let name = instruction.poppedSegment {
            return view.word(at: cpu.linearStackPointer, size: 2).flatMap { loadFault($0, name) }
        }
        guard instruction.isTwo(0x00), instruction.group == 2 || instruction.group == 3 else { return nil }
        return operandWord(instruction).flatMap { systemSegmentFault($0, isTask: instruction.group == 3) }
    }

    private func operandWord(_ instruction: Instruction) -> UInt64? {
        guard let modRM = instruction.modRM else { return nil }
        guard modRM.isMemory else { return view.cpu.register(modRM.rm) & 0xffff }
        let operand = EffectiveAddresses(instruction: instruction, cpu: view.cpu).explicit
        return operand.flatMap { view.word(at: $0.linear, size: 2) }
    }

    private func loadFault(_ selector: UInt64, _ name: CPUSnapshot.SegmentName) -> Fault? {
        let cpu = view.cpu
        if name == .ss { return stackSegmentFault(selector, "loaded ss with", level: cpu.privilegeLevel) }
        let start = "loaded \(name.rawValue) with selector \(Hex.short(selector)) at \(location)"
        switch SegmentTables(view: view).descriptor(selector) {
        case .null:
            return nil
        case .missing(let clause, let vector):
            return Fault(vector: vector, what: "\(start): \(clause) (\(vector == 14 ? "#PF" : "#GP"))")
        case .found(let descriptor):
            guard descriptor.isReadable else {
                return Fault(vector: 13, what: "\(start), which is \(descriptor.kind) (#GP)")
            }
            let level = max(cpu.privilegeLevel, UInt8(selector & 3))
            guard descriptor.isConforming || descriptor.privilegeLevel >= level else {
                return Fault(
                    vector: 13,
                    what: "\(start), whose DPL \(descriptor.privilegeLevel) does not let CPL \(level) in (#GP)")
            }
            return descriptor.isPresent ? nil : Fault(vector: 11, what: "\(start), which is not present (#NP)")
        }
    }

    /// Why a selector cannot go into SS.
    func stackSegmentFault(_ selector: UInt64, _ what: String, level: UInt8) -> Fault? {
        let selector = selector & 0xffff
        let start = "\(what) stack segment \(Hex.short(selector)) at \(location)"
        switch SegmentTables(view: view).descriptor(selector) {
        case .null:
            // 64-bit code in the kernel can do without.
            guard view.cpu.mode != .long64 || level == 3 else { return nil }
            return Fault(vector: 13, what: "\(start), a null selector (#GP)")
        case .missing(let clause, let vector):
            return Fault(vector: vector, what: "\(start): \(clause) (\(vector == 14 ? "#PF" : "#GP"))")
        case .found(let descriptor):
            guard descriptor.isWritableData else {
                return Fault(vector: 13, what: "\(start), which is \(descriptor.kind) (#GP)")
            }
            guard descriptor.privilegeLevel == level, selector & 3 == UInt64(level) else {
                return Fault(
                    vector: 13,
                    what:
                        "\(start), whose DPL \(descriptor.privilegeLevel) and RPL \(selector & 3) are not both \(level) (#GP)"
                )
            }
            return descriptor.isPresent ? nil : Fault(vector: 12, what: "\(start), which is not present (#SS)")
        }
    }

    private func systemSegmentFault(_ selector: UInt64, isTask: Bool) -> Fault? {
        let start =
            "loaded \(isTask ? "the task register" : "the LDT") with selector \(Hex.short(selector)) at \(location)"
        if selector & 4 != 0 { return Fault(vector: 13, what: "\(start), which is one of the LDT (#GP)") }
        switch SegmentTables(view: view).descriptor(selector) {
        case .null:
            return isTask ? Fault(vector: 13, what: "\(start), a null selector (#GP)") : nil
        case .missing(let clause, let vector):
            return Fault(vector: vector, what: "\(start): \(clause) (\(vector == 14 ? "#PF" : "#GP"))")
        case .found(let descriptor):
            if isTask, descriptor.isSystem, descriptor.type == 11 || descriptor.type == 3 {
                return Fault(vector: 13, what: "\(start), a task state that is busy already (#GP)")
            }
            let wanted: [UInt8] = !isTask ? [2] : view.cpu.isLongModeActive ? [9] : [1, 9]
            guard descriptor.isSystem, wanted.contains(descriptor.type) else {
                let what = isTask ? "an available task state" : "an LDT"
                return Fault(vector: 13, what: "\(start), which is \(descriptor.kind), not \(what) (#GP)")
            }
            return descriptor.isPresent ? nil : Fault(vector: 11, what: "\(start), which is not present (#NP)")
        }
    }
}

extension Instruction {
    fileprivate var poppedSegment: CPUSnapshot.SegmentName? {
        if isTwo(0xa1) { return .fs }
        if isTwo(0xa9) { return .gs }
        guard bits != 64 else { return nil }
        if isOne(0x07) { return .es }
        if isOne(0x17) { return .ss }
        return isOne(0x1f) ? .ds : nil
    }
}
