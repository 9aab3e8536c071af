import CKVM

/// One leaf (and subleaf) of the CPUID instruction as a guest sees it.
public typealias CPUIDEntry = kvm_cpuid_entry2

extension KVMDescriptor {
    func getCPUID(_ call: KVMCall, _ request: UInt, capacity: Int) throws(KVMError) -> [CPUIDEntry] {
        let buffer = FlexibleArray<kvm_cpuid2, CPUIDEntry>(
            header: kvm_cpuid2(), capacity: capacity)
        buffer.pointer.pointee.nent = UInt32(clamping: capacity)
        try self.call(call, request, buffer.pointer)
        return buffer.elements(Int(buffer.pointer.pointee.nent))
    }
}

extension VCPU {
    /// The CPUID leaves this vCPU's guest sees.
    public func cpuid() throws(KVMError) -> [CPUIDEntry] {
        try descriptor.getCPUID(.getCPUID, CKVM_GET_CPUID2, capacity: 256)
    }

    /// Sets what the guest's CPUID instruction returns. Must come before the vCPU first runs.
    public func setCPUID(_ entries: [CPUIDEntry]) throws(KVMError) {
        let buffer = FlexibleArray<kvm_cpuid2, CPUIDEntry>(header: kvm_cpuid2(), elements: entries)
        buffer.pointer.pointee.nent = UInt32(clamping: entries.count)
        try descriptor.call(.setCPUID, CKVM_SET_CPUID2, buffer.pointer, about: "\(entries.count) entries")
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
