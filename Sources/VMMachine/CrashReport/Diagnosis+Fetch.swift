import VMAddressSpace

extension Diagnosis {
    /// The instruction could not even be read.
    func fetchFault() -> Fault? {
        let cpu = view.cpu
        let address = cpu.linearInstructionPointer
        if cpu.mode != .long64, cpu.registers.rip > UInt64(cpu.special.cs.limit) {
            let limit = Hex.short(UInt64(cpu.special.cs.limit))
            return Fault(
                vector: 13, what: "ran to offset \(Hex.short(cpu.registers.rip)), beyond the limit \(limit) of cs (#GP)"
            )
        }
        guard let objection = view.objection(to: .fetch, at: address) else { return restFault(address) }
        guard cpu.isCanonical(address) else {
            return Fault(vector: 13, what: "jumped to \(Hex.short(address)), which is no canonical address (#GP)")
        }
        let name = view.name(address)
        let null = address < PageSize.size4K.bytes ? " (a null pointer, perhaps)" : ""
        if hasJustLoadedTables(address) {
            return Fault(
                vector: 14,
                what:
                    "could not fetch its next instruction at \(name), which \(objection) (#PF), as page tables were just "
                    + "loaded that do not map the running code", address: address)
        }
        guard isLikelyJump(address) else {
            return Fault(
                vector: 14, what: "could not fetch its next instruction at \(name), which \(objection) (#PF)",
                address: address)
        }
        if case .mapped(let physical, _) = view.walk(address).result, !view.hasRAM(at: physical) {
            let what = "jumped to \(name)\(null): guest-physical \(Hex.short(physical)) has no memory"
            return Fault(vector: 14, what: what, address: address)
        }
        return Fault(vector: 14, what: "jumped to \(name)\(null), which \(objection) (#PF)", address: address)
    }

    /// Whether the code was led there. If what comes before can be run, it was perhaps run; and memory of the same address in
    /// the middle of a function was perhaps mapped until just now.
    private func isLikelyJump(_ address: UInt64) -> Bool {
        guard view.objection(to: .fetch, at: address &- 1) != nil else { return false }
        guard view.cpu.isPagingOn, address >= PageSize.size4K.bytes, view.hasRAM(at: address) else { return true }
        return view.symbols?.symbol(at: address)?.offset == 0
    }

    /// The instruction begins on a page that can be read and ends on one that cannot.
    private func restFault(_ address: UInt64) -> Fault? {
        let bytes = view.bytes(at: address, count: Instruction.maximumLength)
        guard bytes.count < Instruction.maximumLength, Instruction(bytes, bits: view.cpu.codeBits) == nil else {
            return nil
        }
        let rest = view.cpu.wrapped(address &+ UInt64(bytes.count))
        guard let objection = view.objection(to: .fetch, at: rest) else { return nil }
        return Fault(
            vector: 14,
            what: "could not fetch the rest of its instruction at \(location): \(view.name(rest)) \(objection) (#PF)",
            address: rest)
    }

    /// Whether the instruction before, in code that was mapped to its own address, was a move to CR3 or CR0: nothing has
    /// jumped then, the tables have changed under the code.
    private func hasJustLoadedTables(_ address: UInt64) -> Bool {
        guard view.cpu.isPagingOn, address >= 3, let code = try? view.memory.read(.init(address - 3), count: 3) else {
            return false
        }
        let register = code[2] >> 3 & 7
        return code[0] == 0x0f && code[1] == 0x22 && code[2] >> 6 == 3 && (register == 3 || register == 0)
    }
}
