import KVM
import VMBoot
import VMDevices
import VMDirtyTracking
import VMHost

/// One virtual machine with its guest loaded, ready to run: made from a configuration, driven from any thread.
///
/// ```
/// let machine = try Machine(MachineConfiguration(guest: "kernel.elf"), console: myOutput)
/// let result = try machine.run()
/// ```
///
/// Every vCPU has a thread of its own. The thread that calls `run()` or `wait()` also watches for a guest that has halted
/// for good. A machine let go of while it runs is stopped.
public final class Machine: Sendable {
    /// What it was made from.
    public let configuration: MachineConfiguration
    /// The format the image was loaded as.
    public let format: ImageFormat
    /// Tracks which pages of its memory are written, once told to.
    public let dirtyTracker: DirtyTracker
    let guest: MachineMemory
    let devices: Devices
    let control: RunControl
    let gate: PauseGate
    let processors: [Processor]
    let image: GuestImage
    let console: any ConsoleOutput
    let created: MonotonicTime

    /// Makes the machine and loads its guest; nothing runs yet.
    ///
    /// - Parameters:
    ///   - image: what to boot; nil to open `configuration.guest` as a path.
    ///   - console: where the serial port's output goes.
    ///   - onInputSpace: called on a vCPU thread when the serial port, having taken less input than it was offered, has
    ///     room again. It may come before that `sendInput(_:)` has returned.
    /// - Throws: `MachineError`. Nothing of the machine is left behind.
    public init(
        _ configuration: MachineConfiguration, image: GuestImage? = nil, console: any ConsoleOutput,
        onInputSpace: @escaping @Sendable () -> Void = {}
    ) throws(MachineError) {
        self.created = .now
        try configuration.validate()
        let request = try MachineError.wrap(MachineError.boot) { () throws(BootError) in
            try BootRequest(configuration, image: image)
        }
        // Planning needs no KVM: an image that is no good is reported on any host.
        var plan = try MachineError.wrap(MachineError.boot) { () throws(BootError) in try BootPlan(request) }
        let system = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            try KVMSystem(path: configuration.kvmDevice)
        }
        let cpuid = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in try system.supportedCPUID() }
        try configuration.validate(on: system, cpuid)
        let control = RunControl()
        let gate = PauseGate(control)
        let shared = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in try SharedVM(system) }
        let guest = try MachineMemory(
            shared, system, configuration, physicalAddressBits: cpuid.physicalAddressBits, gate: gate)
        let support = DirtyTrackingSupport(system)
        let entryCount = configuration.dirtyRingEntryCount(support)
        let processors = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            try shared.createInterruptControllers(configuration)
            if let entryCount { try shared.enableDirtyRings(entryCount, system) }
            let processors = try Processor.makeAll(
                configuration, shared.vm, cpuid, hasTSCDeadlineTimer: system.has(.tscDeadlineTimer))
            if let entryCount { try shared.dirtyRings.attach(processors, entryCount: entryCount) }
            return processors
        }
        gate.attach(processors)
        if system.has(.tscFrequency), let kilohertz = try? processors[0].vcpu.tscKilohertz() {
            plan.setTSCFrequency(kilohertz: kilohertz)
        }
        try MachineError.wrap(MachineError.boot) { () throws(BootError) in
            try plan.load(into: guest.memory, isZeroed: true)
        }
        try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            try processors[0].vcpu.setInitialState(plan.cpu)
        }

        let callbacks = Devices.Callbacks(console: console, onInputSpace: onInputSpace) { ending in
            control.end(ending)
            gate.kick()
        }
        self.devices = try MachineError.wrap(MachineError.device) { () throws(BusError) in
            try Devices(configuration, InterruptWiring(configuration.irqchip, shared), callbacks)
        }
        self.configuration = configuration
        self.format = plan.format
        self.dirtyTracker = DirtyTracker(
            guest.partition, guest.regions.dirtyLog, support, configuration.dirtyTracking.setup)
        self.guest = guest
        self.control = control
        self.gate = gate
        self.processors = processors
        self.image = request.image
        self.console = console
    }

    deinit {
        // Threads still running own all that they use, and end by themselves.
        console.cancel()
        stop()
    }

    /// Offers input to the guest's serial port; any thread may, one at a time.
    /// - Returns: how many bytes it took, from the start. See `onInputSpace` of `init` for the rest.
    public func sendInput(_ bytes: UnsafeRawBufferPointer) -> Int {
        devices.serial.receive(bytes)
    }

    /// The last power-on self-test code the guest wrote to port 0x80.
    public var postCode: UInt8 { devices.post.lastCode }
}
