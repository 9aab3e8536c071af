import ArgumentParser

@main
struct VMMCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vmm",
        abstract: "A mini virtual machine monitor for KVM.",
        discussion: """
            Runs kernels, unikernels and bare-metal programs, and tells why they died.

              vmm run hello                          a built-in guest
              vmm run -m 256M -c 2 kernel.elf -- -v  a kernel of your own
              vmm dirty-rate dirty --count 5         how fast a guest writes to its memory
              vmm heatmap --live kernel.elf          which memory it writes, and when
              vmm dirty-rate kernel.elf              how much of it
              vmm plan regions.json                  what regions of memory look like to a guest
            """,
        subcommands: [
            RunCommand.self, ReceiveCommand.self, SnapshotCommand.self, RestoreCommand.self, HeatmapCommand.self,
            DirtyRateCommand.self, PlanCommand.self,
            InfoCommand.self,
            GuestsCommand.self,
        ])

    static func main() {
        StandardDescriptors.fillClosed()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            StandardError.report(failure.message)
            exit(failure.status)
        } catch let status as ExitCode {
            exit(ExitStatus(rawValue: status.rawValue))
        } catch {
            guard exitCode(for: error) != .success else { exit(withError: error) }
            // The parser lists choices on lines of their own.
            let message = message(for: error).replacing(":\n  - ", with: ": ").replacing("\n  - ", with: ", ")
            let isSurplus = Self.guestCommands.contains(commandName ?? "") && message.hasPrefix("Unexpected argument")
            let hint = isSurplus ? "; a guest's arguments go after --" : ""
            let help = commandName.map { "vmm help \($0)" } ?? "vmm help"
            StandardError.report("\(message)\(hint); see '\(help)'")
            exit(.usage)
        }
    }

    /// Those that take a guest with arguments.
    private static let guestCommands = ["run", "heatmap", "dirty-rate", "snapshot"]

    /// The subcommand that was asked for, if there is one of that name.
    private static var commandName: String? {
        guard CommandLine.arguments.count > 1 else { return nil }
        let name = CommandLine.arguments[1]
        return configuration.subcommands.contains { $0.configuration.commandName == name } ? name : nil
    }

    private static func exit(_ status: ExitStatus) -> Never {
        exit(withError: ExitCode(status.rawValue))
    }
}

/// Why a command could not do what it was asked, and the status it exits with.
struct Failure: Error {
    let status: ExitStatus
    /// What, where and what to do, in a line.
    let message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }
}
