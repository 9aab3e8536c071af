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
            """,
        subcommands: [RunCommand.self, InfoCommand.self, GuestsCommand.self])

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
            let hint = message.hasPrefix("Unexpected argument") ? "; a guest's arguments go after --" : ""
            StandardError.report("\(message)\(hint); see 'vmm help' or 'vmm help run'")
            exit(.usage)
        }
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
