import KVM
import VMBoot
import VMDevices
import VMDirtyTracking
import VMRegions

/// What a machine is made of, whatever its guest is: the VM in the kernel, memory, vCPUs, devices. A class, as `Devices` is, so
/// that to hand it on counts one reference instead of one for each part.
final class MachineHardware: Sendable {
    let control: RunControl
    let gate: PauseGate
    let guest: MachineMemory
    let processors: [Processor]
    let devices: Devices
    let dirtyTracker: DirtyTracker

    /// Makes all of it, in the order that is cheap.
    /// - Parameters:
    ///   - configuration: one that the host can do.
    ///   - cpuid: what each vCPU says of itself.
    ///   - regions: the memory, the oldest first.
    init(
        _ configuration: borrowing MachineConfiguration, _ system: borrowing KVMSystem, _ cpuid: [[CPUIDEntry]],
        _ regions: [RegionDefinition], console: any ConsoleOutput, onInputSpace: @escaping @Sendable () -> Void
    ) throws(MachineError) {
        let control = RunControl()
        let gate = PauseGate(control)
        let shared = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in try SharedVM(system) }
        let guest = try MachineMemory(
            shared, regions, physicalAddressBits: cpuid.first?.physicalAddressBits ?? 36, gate: gate)
        let entryCount = configuration.dirtyRingEntryCount(on: system)
        processors = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            try shared.createInterruptControllers(configuration)
            if let entryCount { try shared.enableDirtyRings(entryCount, system) }
            let processors = try Processor.makeAll(
                shared.vm, cpuid, hasLocalAPIC: configuration.irqchip != .none)
            if let entryCount { try shared.dirtyRings.attach(processors, entryCount: entryCount) }
            return processors
        }
        gate.attach(processors)
        let callbacks = Devices.Callbacks(console: console, onInputSpace: onInputSpace) { ending in
            control.end(ending)
            gate.kick()
        }
        devices = try MachineError.wrap(MachineError.device) { () throws(BusError) in
            try Devices(configuration, InterruptWiring(configuration.irqchip, shared), callbacks)
        }
        dirtyTracker = DirtyTracker(guest.partition, guest.regions.dirtyLog, configuration.dirtyTracking.setup)
        self.control = control
        self.gate = gate
        self.guest = guest
    }

    /// Puts a guest into memory, which is as it was mapped, and the first vCPU at its entry point.
    func load(_ plan: BootPlan) throws(MachineError) {
        try MachineError.wrap(MachineError.boot) { () throws(BootError) in
            try plan.load(into: guest.memory, isZeroed: true)
        }
        try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            try processors[0].vcpu.setInitialState(plan.cpu)
        }
    }
}
