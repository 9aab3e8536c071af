import CKVM
import SystemPackage

/// The owner of an open `/dev/kvm`: what the host offers, and the source of virtual machines.
///
/// Any thread may use it. Source: KVM API document, section 4, "System ioctls".
public struct KVMSystem: ~Copyable, Sendable {
    /// The one version of the interface there has been since Linux 2.6.22.
    public static let apiVersion = 12

    let descriptor: KVMDescriptor
    /// The size in bytes of each vCPU's mapping of `kvm_run` and what follows it.
    let runPageSize: Int

    /// Opens the device and checks that it is one this program can work with.
    /// - Throws: `KVMError.cannotOpen`, `.wrongVersion`, or `.missingCapability` for the first of `Capability.required` that
    ///   is not there.
    public init(path: String = "/dev/kvm") throws(KVMError) {
        let opened: FileDescriptor
        do {
            opened = try path.withCString { try FileDescriptor.open($0, .readWrite, options: .closeOnExec) }
        } catch {
            throw .cannotOpen(path: path, (error as? Errno) ?? .ioError)
        }
        let descriptor = KVMDescriptor(owning: opened.rawValue)
        try Self.check(version: ckvm_ioctl(descriptor.rawValue, CKVM_GET_API_VERSION, 0), path: path)
        for capability in Capability.required where descriptor.value(of: capability) <= 0 {
            throw .missingCapability(capability)
        }
        self.runPageSize = try descriptor.call(.getVCPUMmapSize, CKVM_GET_VCPU_MMAP_SIZE)
        self.descriptor = descriptor
    }

    static func check(version: Int, path: String) throws(KVMError) {
        guard version == apiVersion else { throw .wrongVersion(path: path, found: version) }
    }

    /// How many vCPUs a VM can have at most (KVM API document, section 4.7).
    public var maximumVCPUs: Int {
        let maximum = value(of: .maximumVCPUs)
        if maximum > 0 { return maximum }
        let recommended = value(of: .recommendedVCPUs)
        return recommended > 0 ? recommended : 4
    }

    /// How many memory slots a VM can have at most.
    public var maximumMemorySlots: Int {
        let count = value(of: .memorySlotCount)
        return count > 0 ? count : 32
    }

    /// What `KVM_GET_SUPPORTED_CPUID` lists: the features that both the processor and KVM can give a guest.
    public func supportedCPUID() throws(KVMError) -> [CPUIDEntry] {
        var capacity = 128
        while true {
            do throws(KVMError) {
                return try descriptor.supportedCPUID(capacity: capacity)
            } catch .call(_, .argListTooLong, _) where capacity < 4096 {
                capacity *= 2
            }
        }
    }

    /// The indices of the model-specific registers that hold guest state to be saved and restored.
    public func savedMSRIndices() throws(KVMError) -> [UInt32] {
        var probe = kvm_msr_list()
        // With room for none, the call fails with E2BIG and says how many there are.
        _ = ckvm_ioctl_pointer(descriptor.rawValue, CKVM_GET_MSR_INDEX_LIST, &probe)
        probe.nmsrs = min(probe.nmsrs, 4096)
        let buffer = FlexibleArray<kvm_msr_list, UInt32>(header: probe, capacity: Int(probe.nmsrs))
        try descriptor.call(.getMSRIndexList, CKVM_GET_MSR_INDEX_LIST, buffer.pointer)
        return buffer.elements(Int(buffer.pointer.pointee.nmsrs))
    }

    /// Creates a virtual machine with no memory and no vCPUs.
    public func makeVirtualMachine() throws(KVMError) -> VirtualMachine {
        while true {
            do throws(KVMError) {
                let machine = try descriptor.call(.createVM, CKVM_CREATE_VM)
                return VirtualMachine(
                    descriptor: KVMDescriptor(owning: Int32(machine)), slotLimit: maximumMemorySlots,
                    VCPUTraits(
                        runPageSize: runPageSize,
                        xsaveSize: max(MemoryLayout<kvm_xsave>.size, value(of: .xsave2)),
                        hasSyncRegisters: value(of: .syncRegisters) & Int(KVM_SYNC_X86_REGS) != 0))
            } catch .call(_, .interrupted, _) {
                continue
            }
        }
    }
}

extension KVMSystem: CapabilitySource {
    public func value(of capability: Capability) -> Int {
        descriptor.value(of: capability)
    }
}
