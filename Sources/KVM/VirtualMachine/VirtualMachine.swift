import CKVM
import Synchronization
import SystemPackage

/// The owner of a KVM virtual machine: its memory slots, its interrupt controllers, its clock, and the source of
/// its vCPUs.
///
/// Any thread of the process that made it may use it; a child after `fork` may not (KVM API document, section 3).
/// The machine ends in the kernel when this value and all of its vCPUs are gone.
public struct VirtualMachine: ~Copyable, Sendable {
    let descriptor: KVMDescriptor
    private let traits: VCPUTraits
    let slots: Mutex<MemorySlotTable>

    init(descriptor: consuming KVMDescriptor, slotLimit: Int, _ traits: VCPUTraits) {
        self.descriptor = descriptor
        self.traits = traits
        self.slots = Mutex(MemorySlotTable(limit: slotLimit))
    }

    /// Creates the vCPU with this id, which is also its APIC id. Memory slots, and the interrupt controllers if
    /// there are to be any in the kernel, must be there first.
    public func makeVCPU(id: UInt32) throws(KVMError) -> VCPU {
        let raw = try descriptor.call(.createVCPU, CKVM_CREATE_VCPU, UInt(id), about: "vCPU \(id)")
        return try VCPU(id: id, descriptor: KVMDescriptor(owning: Int32(raw)), traits)
    }

    /// Tells Intel processors without unrestricted guest mode which three pages of guest-physical space they may
    /// use for a task state segment. No memory slot may cover them.
    public func setTSSAddress(_ address: UInt64) throws(KVMError) {
        try descriptor.call(.setTSSAddress, CKVM_SET_TSS_ADDR, UInt(address))
    }

    /// Tells the same processors which page they may use for an identity-mapping page table. Must come before the
    /// first vCPU. Needs `Capability.setIdentityMapAddress`.
    public func setIdentityMapAddress(_ address: UInt64) throws(KVMError) {
        try descriptor.set(.setIdentityMapAddress, CKVM_SET_IDENTITY_MAP_ADDR, address)
    }

    /// Turns on a capability that must be asked for.
    public func enable(_ capability: Capability, argument: UInt64 = 0) throws(KVMError) {
        var request = kvm_enable_cap()
        request.cap = UInt32(capability.rawValue)
        request.args.0 = argument
        try descriptor.set(.enableCapability, CKVM_ENABLE_CAP, request, about: "\(capability)")
    }
}

/// Since Linux 3.14 a VM can be asked as well (`KVM_CAP_CHECK_EXTENSION_VM`): before `Capability.immediateExit`, which is
/// required.
extension VirtualMachine: CapabilitySource {
    public func value(of capability: Capability) -> Int {
        descriptor.value(of: capability)
    }
}
