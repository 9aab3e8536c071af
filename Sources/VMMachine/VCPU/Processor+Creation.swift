import KVM

extension Processor {
    /// Creates the vCPUs of a machine, each with its own view of the processor's features, all but the first waiting for
    /// a start-up message.
    static func makeAll(
        _ configuration: MachineConfiguration, _ vm: borrowing VirtualMachine, _ cpuid: [CPUIDEntry],
        hasTSCDeadlineTimer: Bool
    ) throws(KVMError) -> [Processor] {
        var processors: [Processor] = []
        for index in 0..<configuration.cpus {
            let vcpu = try vm.makeVCPU(id: UInt32(index))
            let topology = CPUTopology(id: UInt32(index), count: configuration.cpus)
            try vcpu.setCPUID(
                cpuid.adapted(
                    to: topology, hasLocalAPIC: configuration.irqchip != .none, hasTSCDeadlineTimer: hasTSCDeadlineTimer
                ))
            if configuration.irqchip == .none { try vcpu.disableLocalAPIC() }
            processors.append(Processor(index: index, vcpu: vcpu))
        }
        return processors
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
