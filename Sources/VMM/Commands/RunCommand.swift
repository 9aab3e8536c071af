import ArgumentParser
import BuiltInGuests
import Glibc
import VMBoot
import VMMachine
import VMRegions

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a guest.",
        discussion: """
            The guest's serial output goes to standard output and nothing else does. At a terminal, Ctrl-C stops the \
            guest, Ctrl-A X quits, Ctrl-A C sends Ctrl-C and Ctrl-A Ctrl-A sends Ctrl-A.

            Exit status: 0 halted, powered off or reset; odd, (N << 1) | 1, from the debug exit port; 64 usage; 65 bad \
            image; 66 no such input; 69 no usable KVM; 70 the guest crashed; 71 the host failed; 73 a report could not \
            be written; 74 output was lost; 77 not permitted; 124 timed out; 130 interrupted (128 + N by signal N).
            """)

    @OptionGroup var options: MachineOptions

    @Option(name: .long, help: ArgumentHelp("Write how the run went to FILE, as JSON.", valueName: "file"))
    var report: String?

    @Flag(name: .long, help: "Print the guest's memory regions at the end: on standard error, and in the report.")
    var inspectOnExit = false

    @Flag(name: .long, help: "Print the machine's configuration, as JSON for --config, and stop.")
    var printConfiguration = false

    func run() throws {
        let configuration = try options.makeConfiguration()
        if printConfiguration {
            try CommandOutput.print(try ConfigurationFile.text(configuration))
            return
        }
        let status = try run(configuration)
        throw ExitCode(status.rawValue)
    }

    private func run(_ configuration: MachineConfiguration) throws(Failure) -> ExitStatus {
        let control = try ControlThread()
        let output = StandardOutput(onFailure: { control.requestEnd() })
        let machine: Machine
        do throws(MachineError) {
            machine = try Machine(
                configuration, image: try Self.image(configuration.guest), console: output,
                onInputSpace: { control.inputSpace.signal() })
        } catch {
            throw Failure(ExitStatus(error), Self.message(error))
        }
        let result = try control.run(machine) { () throws(MachineError) in
            try machine.run()
        }
        let status = Self.status(result.outcome, control, output)
        Self.describe(result.outcome, configuration, output)
        let inspection = inspectOnExit ? try Self.inspect(machine) : nil
        if let inspection { StandardError.write(InspectionText(inspection).description) }
        if let report { try RunReport(machine, result, status, inspection).write(to: report) }
        return status
    }

    private static func inspect(_ machine: Machine) throws(Failure) -> RegionInspection {
        do throws(RegionManagerError) {
            return try machine.regions.withTurn { manager throws(RegionManagerError) in manager.inspect() }
        } catch {
            throw Failure(.hostFailure, "--inspect-on-exit: \(error)")
        }
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

    private static func status(_ outcome: Outcome, _ control: ControlThread, _ output: StandardOutput) -> ExitStatus {
        if case .stopped = outcome, output.failedWith == nil {
            return control.receivedSignal.map(ExitStatus.signal) ?? .interrupted
        }
        switch outcome {
        case .crashed, .failed, .timedOut: return ExitStatus(outcome)
        // What the guest said is part of how it went.
        default: return output.failedWith == nil ? ExitStatus(outcome) : .ioError
        }
    }

    private static func describe(_ outcome: Outcome, _ configuration: MachineConfiguration, _ output: StandardOutput) {
        if let errno = output.failedWith {
            StandardError.report("cannot write the guest's output: \(String(cString: strerror(errno)))")
        }
        switch outcome {
        case .crashed(let report): StandardError.write("vmm: guest crashed: \(report)")
        case .timedOut:
            let limit = configuration.timeout.map { " than \($0)" } ?? ""
            StandardError.report("the guest ran longer\(limit) (--timeout); stopped it")
        case .failed(let error): StandardError.report("\(error)")
        case .halted, .poweredOff, .reset, .debugExit, .stopped: break
        }
    }
}
