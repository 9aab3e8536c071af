import CKVM

/// One leaf (and subleaf) of the CPUID instruction as a guest sees it.
public typealias CPUIDEntry = kvm_cpuid_entry2

extension KVMDescriptor {
    /// What KVM can give a guest, of at most `capacity` leaves.
    func supportedCPUID(capacity: Int) throws(KVMError) -> [CPUIDEntry] {
        let buffer = FlexibleArray<kvm_cpuid2, CPUIDEntry>(
            header: kvm_cpuid2(nent: UInt32(clamping: capacity)), capacity: capacity)
        try call(.getSupportedCPUID, CKVM_GET_SUPPORTED_CPUID, buffer.pointer)
        return buffer.elements(Int(buffer.pointer.pointee.nent))
    }
}

extension [CPUIDEntry] {
    /// Without the entries at the end that are all zero, which no leaf is: their functions would be 0, and leaf 0 has the
    /// processor's maker.
    func withoutEmptyTail() -> [CPUIDEntry] {
        let last = lastIndex { ($0.function, $0.eax, $0.ebx, $0.ecx, $0.edx) != (0, 0, 0, 0, 0) }
        return Array(prefix(last.map { $0 + 1 } ?? 0))
    }
}

extension VCPU {
    /// The CPUID leaves this vCPU's guest sees.
    public func cpuid() throws(KVMError) -> [CPUIDEntry] {
        // Kernels before 6.5 do not say how many they have filled in.
        let room = [CPUIDEntry](repeating: CPUIDEntry(), count: 256)
        let buffer = FlexibleArray<kvm_cpuid2, CPUIDEntry>(
            header: kvm_cpuid2(nent: UInt32(clamping: room.count)), elements: room)
        try descriptor.call(.getCPUID, CKVM_GET_CPUID2, buffer.pointer)
        return buffer.elements(Int(buffer.pointer.pointee.nent)).withoutEmptyTail()
    }

    /// Sets what the guest's CPUID instruction returns. Must come before the vCPU first runs.
    public func setCPUID(_ entries: [CPUIDEntry]) throws(KVMError) {
        let buffer = FlexibleArray<kvm_cpuid2, CPUIDEntry>(
            header: kvm_cpuid2(nent: UInt32(clamping: entries.count)), elements: entries)
        try descriptor.call(.setCPUID, CKVM_SET_CPUID2, buffer.pointer, about: "\(entries.count) entries")
    }
}

extension kvm_cpuid2 {
    fileprivate init(nent: UInt32) {
        self.init()
        self.nent = nent
    }
}

extension [CPUIDEntry] {
    /// How many bits the processor's physical addresses have (leaf 0x80000008; 36 where it is missing).
    public var physicalAddressBits: Int {
        first { $0.function == 0x8000_0008 }.map { Int($0.eax & 0xff) } ?? 36
    }

    /// The processor's maker, as leaf 0 spells it.
    public var vendor: String {
        guard let leaf = first(where: { $0.function == 0 }) else { return "unknown" }
        let letters = [leaf.ebx, leaf.edx, leaf.ecx].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
        }
        return String(decoding: letters.prefix { (0x20..<0x7f).contains($0) }, as: UTF8.self)
    }
}
