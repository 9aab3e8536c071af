/// Whether an access gets through, and if not, why (Intel SDM volume 3, section 5.6, "Access Rights").
extension PageWalk {
    enum Access: Sendable {
        case fetch, read, write

        init(_ kind: MemoryAccess.Kind) {
            self = kind == .write ? .write : .read
        }
    }

    /// Why an access faults, as the predicate of a sentence about its address; nil where page tables let it through.
    /// - Parameter level: the privilege level of the access; the CPU's own where nil.
    func objection(to access: Access, by cpu: CPUSnapshot, level: UInt8? = nil) -> String? {
        switch result {
        case .nonCanonical:
            return "is not canonical"
        case .notPresent(let level):
            return "is not mapped: its \(level.rawValue) entry is not present"
        case .tableOutsideMemory(let level, let address):
            return "is not mapped: its \(level.rawValue) entry would be at guest-physical \(Hex.short(address)), "
                + "where there is no memory"
        case .reservedBit(let level, let bit):
            let meaning = format.meaning(ofReservedBit: bit, in: steps.last?.entry ?? 0, level)
            return "has a reserved bit set in its \(level.rawValue) entry: bit \(bit) (\(meaning))"
        case .mapped:
            guard cpu.isPagingOn else { return nil }
            return (level ?? cpu.privilegeLevel) == 3 ? userObjection(access) : kernelObjection(access, cpu)
        }
    }

    private func userObjection(_ access: Access) -> String? {
        let readOnly = access == .write && !isWritable
        if !isUser { return "is a \(readOnly ? "read-only " : "")supervisor page, out of reach of CPL 3" }
        if readOnly { return "is read-only" }
        return access == .fetch && !isExecutable ? "is not executable (no-execute is set)" : nil
    }

    private func kernelObjection(_ access: Access, _ cpu: CPUSnapshot) -> String? {
        if access == .fetch {
            if isUser, cpu.hasSMEP { return "is a user page, and SMEP (CR4) forbids the kernel to execute it" }
            return isExecutable ? nil : "is not executable (no-execute is set)"
        }
        if isUser, cpu.hasSMAP, !cpu.isAlignmentCheckOn {
            return "is a user page, and SMAP (CR4) forbids the kernel to touch it while RFLAGS.AC is clear"
        }
        return access == .write && !isWritable && cpu.isWriteProtectOn ? "is read-only" : nil
    }
}
