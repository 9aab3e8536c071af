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
    let hardware: MachineHardware
    /// What names addresses in crash reports; nil where nobody has it.
    let symbols: GuestImage?
    let console: any ConsoleOutput
    let created: MonotonicTime
    /// What its state has, once that was asked for.
    let stateExtent = Monitor(StateExtent())

    /// Tracks which pages of its memory are written, once told to.
    public var dirtyTracker: DirtyTracker { hardware.dirtyTracker }
    var guest: MachineMemory { hardware.guest }
    var devices: Devices { hardware.devices }
    var control: RunControl { hardware.control }
    var gate: PauseGate { hardware.gate }
    var processors: [Processor] { hardware.processors }

    /// Makes the machine and loads its guest; nothing runs yet.
    ///
    /// - Parameters:
    ///   - image: what to boot; nil to open `configuration.guest` as a path.
    ///   - console: where the serial port's output goes.
    ///   - onInputSpace: called on a vCPU thread when the serial port, having taken less input than it was offered, has
    ///     room again. It may come before that `sendInput(_:)` has returned.
    /// - Throws: `MachineError`. Nothing of the machine is left behind.
    public convenience init(
        _ configuration: MachineConfiguration, image: GuestImage? = nil, console: any ConsoleOutput,
        onInputSpace: @escaping @Sendable () -> Void = {}
    ) throws(MachineError) {
        let created = MonotonicTime.now
        try configuration.validate()
        let request = try MachineError.wrap(MachineError.boot) { () throws(BootError) in
            try BootRequest(configuration, image: image)
        }
        let symbols = try configuration.openSymbols() ?? request.image
        // Planning needs no KVM: an image that is no good is reported on any host.
        var plan = try MachineError.wrap(MachineError.boot) { () throws(BootError) in try BootPlan(request) }
        let system = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            try KVMSystem(path: configuration.kvmDevice)
        }
        let supported = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in try system.supportedCPUID() }
        try configuration.validate(on: system, supported)
        let hardware = try MachineHardware(
            configuration, system,
            Processor.cpuid(configuration, supported, hasTSCDeadlineTimer: system.has(.tscDeadlineTimer)),
            try MachineMemory.definitions(configuration), console: console, onInputSpace: onInputSpace)
        if system.has(.tscFrequency), let kilohertz = try? hardware.processors[0].vcpu.tscKilohertz() {
            plan.setTSCFrequency(kilohertz: kilohertz)
        }
        try hardware.load(plan)
        self.init(configuration, plan.format, hardware, symbols: symbols, console: console, created: created)
    }

    init(
        _ configuration: MachineConfiguration, _ format: ImageFormat, _ hardware: MachineHardware, symbols: GuestImage?,
        console: any ConsoleOutput, created: MonotonicTime
    ) {
        self.configuration = configuration
        self.format = format
        self.hardware = hardware
        self.symbols = symbols
        self.console = console
        self.created = created
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
