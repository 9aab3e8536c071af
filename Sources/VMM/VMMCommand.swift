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
              vmm run --report r.json kernel.elf     how it went, as JSON
              vmm dirty-rate kernel.elf              how fast it writes to its memory
              vmm heatmap --live kernel.elf          which memory that is, and when
              vmm demo migration                     a guest that moves, and a report of it
              vmm plan regions.json                  what regions of memory look like to a guest
            """,
        subcommands: [
            RunCommand.self, ReceiveCommand.self, SnapshotCommand.self, RestoreCommand.self, HeatmapCommand.self,
            DirtyRateCommand.self, PlanCommand.self, DemoCommand.self, InfoCommand.self, GuestsCommand.self,
        ])

    static func main() {
        StandardDescriptors.fillClosed()
        do {
            var command = try parseSubcommand() ?? parseAsRoot()
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
            StandardError.report("\(UsageHint(message, subcommand)); see '\(UsageHint.helpCommand(subcommand))'")
            exit(.usage)
        }
    }

    /// The command line parsed as that of the subcommand alone, which takes half the time: the parser of the whole program goes
    /// through a subcommand's arguments several times, and through its own.
    /// - Returns: nil where it has to be asked: there is no such subcommand, or its arguments are wrong or ask for help, whose text
    ///   names the program.
    private static func parseSubcommand() -> (any ParsableCommand)? {
        guard let subcommand, subcommand.configuration.subcommands.isEmpty,
            let command = try? subcommand.parseAsRoot(Array(CommandLine.arguments.dropFirst(2)))
        else { return nil }
        return type(of: command) == subcommand ? command : nil
    }

    /// The subcommand that was asked for, if there is one of that name.
    private static var subcommand: (any ParsableCommand.Type)? {
        guard CommandLine.arguments.count > 1 else { return nil }
        let name = CommandLine.arguments[1]
        return configuration.subcommands.first { $0.configuration.commandName == name }
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
