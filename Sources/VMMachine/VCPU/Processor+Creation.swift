import KVM

extension Processor {
    /// Creates the vCPUs of a machine, each with its own view of the processor's features, all but the first waiting for
    /// a start-up message.
    static func makeAll(
        _ configuration: MachineConfiguration, _ vm: borrowing VirtualMachine, _ cpuid: [CPUIDEntry]
    ) throws(KVMError) -> [Processor] {
        var processors: [Processor] = []
        for index in 0..<configuration.cpus {
            let vcpu = try vm.makeVCPU(id: UInt32(index))
            let topology = CPUTopology(id: UInt32(index), count: configuration.cpus)
            try vcpu.setCPUID(cpuid.map { $0.adapted(to: topology, hasLocalAPIC: configuration.irqchip != .none) })
            processors.append(Processor(index: index, vcpu: vcpu))
        }
        return processors
    }
}
