import ArgumentParser
import Glibc
import SystemPackage
import VMBoot
import VMMachine
import VMMigration

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Save a running guest to a file, and what can be done with such files.",
        subcommands: [
            SnapshotSaveCommand.self, SnapshotMergeCommand.self, SnapshotShowCommand.self, SnapshotVerifyCommand.self,
        ],
        defaultSubcommand: SnapshotSaveCommand.self)
}

struct SnapshotSaveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save", abstract: "Run a guest, and save it to a file after a while (the default).",
        discussion: """
            The guest runs while its memory is copied, and stands still for a moment at the end. 'vmm restore' goes on with it.

              vmm snapshot --output base.snapshot --after 2s dirty -- --rate 10M
              vmm snapshot --output base.snapshot --count 3 dirty     base.snapshot and two differential ones
              vmm restore base.snapshot.2

            Where a snapshot cannot be written, as on a full disk, no file is left of it, and the guest ends; with \
            --keep-running it goes on, and later snapshots are tried.

            Exit status: 0 after the last snapshot; as of 'vmm run' where the guest ends; 73 where a snapshot could not be \
            written.
            """)

    @OptionGroup var options: MachineOptions

    @Option(name: .shortAndLong, help: ArgumentHelp("Where the snapshot is to be.", valueName: "file"))
    var output: String

    @OptionGroup(title: "Snapshot options") var snapshots: SnapshotOptions

    func run() throws {
        let schedule = try snapshots.schedule(output)
        var console: SerialOutput?
        let guest = try GuestRun(try options.makeConfiguration()) { end in
            let made = SerialOutput(STDOUT_FILENO, onFailure: end)
            console = made
            return made
        }
        let (result, failure) = try SnapshotRun(guest, schedule).run()
        let status = RunCommand.status(guest, result.outcome, lost: console?.failedWith)
        throw ExitCode((status == .success ? failure?.status ?? status : status).rawValue)
    }
}

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Run on with a guest that was saved to a file.",
        discussion: """
            Memory is read from the file as the guest touches it; the file stays as it is, and any number of guests can be \
            restored from it at once. With --output, further snapshots are differential ones, built on it.

            Exit status: as of 'vmm run'; 65 for a file that is damaged; 73 where a snapshot could not be written.
            """)

    @Argument(help: ArgumentHelp("What 'vmm snapshot' has written.", valueName: "file"))
    var file: String

    @OptionGroup var machine: RestoringOptions

    @Flag(name: .long, help: "Compare all of the file's memory with its checksums first, which reads all of it.")
    var verify = false

    @Option(name: .shortAndLong, help: ArgumentHelp("Take a snapshot, to be there.", valueName: "file"))
    var output: String?

    @OptionGroup(title: "Snapshot options") var snapshots: SnapshotOptions

    func run() throws {
        let schedule = try output.map { path throws(Failure) in try snapshots.schedule(path) }
        let snapshot = try Snapshot(opening: file, verifying: verify)
        let control = try ControlThread()
        let console = SerialOutput(STDOUT_FILENO) { control.requestEnd() }
        let restored: Machine
        do throws(MigrationError) {
            restored = try Machine.restore(
                snapshot, machine.restoring, console: console, onInputSpace: { control.inputSpace.signal() })
        } catch {
            throw Failure(ExitStatus(error), "\(file): \(error)")
        }
        let guest = GuestRun(restored, control)
        let (result, failure): (RunResult, Failure?) =
            if let schedule {
                try SnapshotRun(guest, schedule, origin: snapshot).run()
            } else {
                (try guest.run { () throws(MachineError) in try restored.run() }, nil)
            }
        let status = RunCommand.status(guest, result.outcome, lost: console.failedWith)
        throw ExitCode((status == .success ? failure?.status ?? status : status).rawValue)
    }
}

struct SnapshotMergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge", abstract: "Make one full snapshot of a differential one and those it is built on.")

    @Argument(help: ArgumentHelp("The last snapshot of the chain.", valueName: "file"))
    var file: String

    @Option(name: .shortAndLong, help: ArgumentHelp("Where the full one is to be.", valueName: "file"))
    var output: String

    @Flag(name: .long, help: "Replace a file that is there.")
    var overwrite = false

    func run() throws {
        let snapshot = try Snapshot(opening: file)
        do throws(SnapshotError) {
            try snapshot.merge(into: FilePath(output), replacing: overwrite)
        } catch {
            throw Failure(ExitStatus(error), "\(error)")
        }
    }
}

struct SnapshotShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print what a snapshot has: files, memory, and each record of its state.")

    @Argument(help: ArgumentHelp("The snapshot.", valueName: "file"))
    var file: String

    func run() throws {
        // What is in it of names and of others' text cannot drive the reader's terminal.
        let lines = SnapshotDescription(snapshot: try Snapshot(opening: file)).description.split(separator: "\n")
        try CommandOutput.print(lines.map { String($0).escapingControlCharacters }.joined(separator: "\n"))
    }
}

struct SnapshotVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Compare all of a snapshot with its checksums.",
        discussion: "Exit status: 0 where all of it is as it was written; 65 where it is not.")

    @Argument(help: ArgumentHelp("The snapshot.", valueName: "file"))
    var file: String

    func run() throws {
        _ = try Snapshot(opening: file, verifying: true)
        try CommandOutput.print("\(file): all of it is as it was written")
    }
}

extension Snapshot {
    fileprivate init(opening file: String, verifying: Bool = false) throws(Failure) {
        do throws(SnapshotError) {
            try self.init(path: FilePath(file))
            if verifying { try verify() }
        } catch {
            throw Failure(ExitStatus(error), "\(error)")
        }
    }
}
