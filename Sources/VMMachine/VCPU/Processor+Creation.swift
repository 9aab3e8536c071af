import KVM

extension Processor {
    /// Creates the vCPUs of a machine, all but the first waiting for a start-up message.
    /// - Parameter cpuid: what each says of itself.
    static func makeAll(
        _ vm: borrowing VirtualMachine, _ cpuid: [[CPUIDEntry]], hasLocalAPIC: Bool
    ) throws(KVMError) -> [Processor] {
        try cpuid.indices.mapFew { (index) throws(KVMError) in
            let vcpu = try vm.makeVCPU(id: UInt32(index))
            try vcpu.setCPUID(cpuid[index])
            if !hasLocalAPIC { try vcpu.disableLocalAPIC() }
            return Processor(index: index, vcpu: vcpu, cpuid: cpuid[index])
        }
    }

    /// What the vCPUs of a new machine say of themselves, each with its own place among them.
    /// - Parameter supported: by the host.
    static func cpuid(
        _ configuration: MachineConfiguration, _ supported: [CPUIDEntry], hasTSCDeadlineTimer: Bool
    ) -> [[CPUIDEntry]] {
        (0..<configuration.cpus).mapFew { index in
            supported.adapted(
                to: CPUTopology(id: UInt32(index), count: configuration.cpus),
                hasLocalAPIC: configuration.irqchip != .none, hasTSCDeadlineTimer: hasTSCDeadlineTimer)
        }
    }
}

extension VCPU {
    /// Without a local APIC the processor must not claim one: this bit of the APIC base is what CPUID's bit follows.
    fileprivate borrowing func disableLocalAPIC() throws(KVMError) {
        var special = try specialRegisters()
        special.apic_base = 0
        try setSpecialRegisters(special)
    }
}
