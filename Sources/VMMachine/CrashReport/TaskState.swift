/// The task state segment, where the processor finds the stack for a handler that does not run on the stack in use.
/// Source: Intel SDM volume 3, sections 7.14.4, 7.14.5 and 9.7.
struct TaskState {
    let view: GuestView

    enum Stack {
        /// The linear address that the stack grows down from.
        case top(UInt64, name: String)
        /// Why there is none, as a clause of its own.
        case missing(String)
    }

    /// - Parameter interruptStack: the gate's IST field, 1...7; 0 for the stack of the privilege level.
    func stack(for level: UInt8, interruptStack: UInt64) -> Stack {
        let register = view.cpu.special.tr
        let isLong = view.cpu.isLongModeActive
        let purpose = interruptStack != 0 ? "IST\(interruptStack)" : "\(isLong ? "RSP" : "ESP")\(level)"
        // LTR takes no null selector: this is how TR is before the first.
        guard register.selector & 0xfffc != 0, register.present != 0, register.unusable == 0 else {
            return .missing("no task state segment (TSS) is loaded to take the handler's stack (\(purpose)) from")
        }
        guard isLong else { return protected(level, purpose) }
        let offset = interruptStack != 0 ? 28 + 8 * interruptStack : 4 + 8 * UInt64(level)
        switch field(offset, size: 8, purpose) {
        case .failure(let missing): return .missing(missing.clause)
        case .success(let pointer):
            guard view.cpu.isCanonical(pointer) else {
                return .missing("the TSS's \(purpose) is \(Hex.short(pointer)), which is not canonical")
            }
            // The processor aligns the new stack to 16 bytes before it pushes.
            return .top(pointer & ~0xf, name: "\(purpose) of the TSS")
        }
    }

    private func protected(_ level: UInt8, _ purpose: String) -> Stack {
        let is16Bit = view.cpu.special.tr.type & 8 == 0
        let size: UInt64 = is16Bit ? 2 : 4
        let offset = is16Bit ? 2 + 4 * UInt64(level) : 4 + 8 * UInt64(level)
        switch (field(offset, size: Int(size), purpose), field(offset + size, size: 2, "SS\(level)")) {
        case (.failure(let missing), _), (_, .failure(let missing)):
            return .missing(missing.clause)
        case (.success(let pointer), .success(let selector)):
            switch SegmentTables(view: view).descriptor(selector) {
            case .null: return .missing("the TSS's SS\(level) is null")
            case .missing(let clause, _): return .missing("\(clause), which the TSS has as SS\(level)")
            case .found(let descriptor):
                guard descriptor.isPresent, descriptor.isWritableData, descriptor.privilegeLevel == level else {
                    return .missing(
                        "the TSS's SS\(level), selector \(Hex.short(selector)), is no writable data segment of DPL \(level)"
                    )
                }
                return .top(view.cpu.wrapped(descriptor.base &+ pointer), name: "\(purpose) of the TSS")
            }
        }
    }

    private struct Missing: Error {
        let clause: String
    }

    private func field(_ offset: UInt64, size: Int, _ name: String) -> Result<UInt64, Missing> {
        let register = view.cpu.special.tr
        guard offset + UInt64(size) - 1 <= UInt64(register.limit) else {
            return .failure(
                Missing(clause: "the TSS ends before its \(name) (limit \(Hex.short(UInt64(register.limit))))"))
        }
        let address = view.cpu.wrapped(register.base &+ offset)
        if let objection = view.objection(to: .read, at: address, level: 0) {
            return .failure(Missing(clause: "the TSS's \(name), at \(view.name(address)), \(objection)"))
        }
        guard let value = view.word(at: address, size: size) else {
            return .failure(Missing(clause: "the TSS's \(name), at \(view.name(address)), cannot be read"))
        }
        return .success(value)
    }
}
