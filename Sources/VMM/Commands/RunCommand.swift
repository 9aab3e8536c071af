import ArgumentParser
import Glibc
import VMMachine
import VMMigration
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

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Move the running guest to 'vmm receive' at URI: unix:PATH, tcp:HOST:PORT, fd:N or file:PATH.",
            valueName: "uri"))
    var migrateTo: String?

    @Option(
        name: .long, help: ArgumentHelp("How long it runs here before (default 0s).", valueName: "time"),
        transform: { try $0.parsed("a time, such as 2s or 500ms", TimeLimit.init) })
    var migrateAfter: TimeLimit?

    @OptionGroup(title: "Migration options") var migration: MigrationOptions

    @Flag(
        name: .long,
        help: "Move the guest only if both sides agree on the digest of its memory, which it stands still for.")
    var verifyMemory = false

    @Flag(name: .long, help: "Tell of the migration on standard error as JSON, an object a line.")
    var json = false

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
        if migrateTo == nil, let flag = migrationFlag {
            throw Failure(.usage, "\(flag): nothing moves without --migrate-to")
        }
        var file: OutputFile?
        if let report { file = try OutputFile(report, label: "--report") }
        var output: SerialOutput?
        let guest = try GuestRun(configuration) { end in
            let made = SerialOutput(STDOUT_FILENO, onFailure: end)
            output = made
            return made
        }
        let result = try run(guest)
        let status = Self.status(guest, result.outcome, lost: output?.failedWith)
        let inspection = inspectOnExit ? try Self.inspect(guest.machine) : nil
        if let inspection { StandardError.write(InspectionText(inspection).description) }
        try file?.write(try JSONText.make(RunReport(guest.machine, result, status, inspection)) + "\n")
        return status
    }

    /// The first flag that says how to migrate, if there is one.
    private var migrationFlag: String? {
        let ownFlags = [
            (migrateAfter != nil, "--migrate-after"), (verifyMemory, "--verify-memory"), (json, "--json"),
        ]
        return migration.firstFlag ?? ownFlags.first(where: \.0)?.1
    }

    /// Runs the guest to its end here.
    private func run(_ guest: GuestRun) throws(Failure) -> RunResult {
        guard let migrateTo else {
            return try guest.run { () throws(MachineError) in try guest.machine.run() }
        }
        let parameters = try migration.parameters(verifyingMemory: verifyMemory)
        let (result, failure) = try MigratingRun(
            guest: guest, uri: try MigrationURI(migrateTo, flag: "--migrate-to"),
            delay: migrateAfter?.duration ?? .zero, parameters: parameters,
            style: json ? .json : .line
        ).run()
        switch failure {
        case nil: break
        case .inDoubt(let error): StandardError.report("--migrate-to: \(error); the guest was not run on here")
        case .guestLost?: throw Failure(.hostFailure, "--migrate-to: \(failure.map(String.init(describing:)) ?? "")")
        case .guestEnded?: StandardError.report("--migrate-to: the guest ended here before it was moved")
        case .cancelled? where result.outcome.isStopped: break
        case let failure?: StandardError.report("--migrate-to: \(failure); the guest ran on here")
        }
        return result
    }

    private static func inspect(_ machine: Machine) throws(Failure) -> RegionInspection {
        do throws(RegionManagerError) {
            return try machine.regions.withTurn { manager throws(RegionManagerError) in manager.inspect() }
        } catch {
            throw Failure(.hostFailure, "--inspect-on-exit: \(error)")
        }
    }

    /// - Parameter errno: why output was lost; nil where none was.
    static func status(_ guest: GuestRun, _ outcome: Outcome, lost errno: Int32?) -> ExitStatus {
        guard let errno else { return guest.finish(outcome) }
        StandardError.report("cannot write the guest's output: \(String(cString: strerror(errno)))")
        // What the guest said is part of how it went.
        switch outcome {
        case .crashed, .failed, .timedOut: return guest.finish(outcome)
        default: return .ioError
        }
    }
}
