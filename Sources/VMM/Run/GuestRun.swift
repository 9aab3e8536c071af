import BuiltInGuests
import Glibc
import VMBoot
import VMDevices
import VMMachine

/// A machine made from what the command line says, with standard input and signals carried to it while it runs.
struct GuestRun {
    let machine: Machine
    private let control: ControlThread

    /// - Parameter console: where the guest's serial output goes; made with what ends the run.
    init(
        _ configuration: MachineConfiguration, console: (_ end: @escaping @Sendable () -> Void) -> any ConsoleOutput
    ) throws(Failure) {
        let control = try ControlThread()
        machine = try Self.machine(
            configuration, console: console { control.requestEnd() },
            onInputSpace: { control.inputSpace.signal() })
        self.control = control
    }

    /// A machine as the command line describes it.
    static func machine(
        _ configuration: MachineConfiguration, console: any ConsoleOutput,
        onInputSpace: @escaping @Sendable () -> Void = {}
    ) throws(Failure) -> Machine {
        do throws(MachineError) {
            return try Machine(
                configuration, image: try image(configuration.guest), console: console, onInputSpace: onInputSpace)
        } catch {
            throw Failure(ExitStatus(error), message(error))
        }
    }

    /// A machine that comes from elsewhere.
    /// - Parameter control: already at work for it.
    init(_ machine: Machine, _ control: ControlThread) {
        self.machine = machine
        self.control = control
    }

    /// Calls `body`, which is to run the machine.
    /// - Parameter onEnd: called, beside stopping the machine, where the run is to end.
    func run<Result>(
        onEnd: @escaping @Sendable () -> Void = {}, _ body: () throws(MachineError) -> Result
    ) throws(Failure) -> Result {
        try control.run(machine, onEnd: onEnd, body)
    }

    /// What the program exits with. Tells of an outcome that needs words on standard error.
    func finish(_ outcome: Outcome) -> ExitStatus {
        switch outcome {
        case .crashed(let report): StandardError.write("vmm: guest crashed: \(report)")
        case .timedOut:
            let limit = machine.configuration.timeout.map { " than \($0)" } ?? ""
            StandardError.report("the guest ran longer\(limit) (--timeout); stopped it")
        case .failed(let error): StandardError.report("\(error)")
        case .stopped: return control.receivedSignal.map(ExitStatus.signal) ?? .interrupted
        case .halted, .poweredOff, .reset, .debugExit, .handedOver: break
        }
        return ExitStatus(outcome)
    }

    /// The built-in guest of this name, or else the file.
    private static func image(_ guest: String) throws(MachineError) -> GuestImage {
        if let builtIn = BuiltInGuest(named: guest) { return GuestImage(name: guest, bytes: builtIn.bytes) }
        do throws(BootError) {
            return try GuestImage(path: guest)
        } catch {
            guard error.kind == .noSuchInput, access(guest, F_OK) != 0, !guest.contains("/") else { throw .boot(error) }
            let names = BuiltInGuest.all.map(\.name).joined(separator: ", ")
            throw .boot(
                BootError(error.kind, guest, "there is no such file, and no such built-in guest; those are \(names)"))
        }
    }

    /// Errors in the configuration name its key; here they name the flag.
    private static func message(_ error: MachineError) -> String {
        guard case .configuration(let key, let message) = error else { return "\(error)" }
        return "\(MachineOptions.flag(of: key)) (\(key.rawValue)): \(message)"
    }
}
