import ArgumentParser

/// What was wrong with a command line, and what may have been meant.
struct UsageHint: CustomStringConvertible {
    let description: String

    /// Those that take a guest with arguments.
    private static let guestCommands = ["run", "heatmap", "dirty-rate", "snapshot"]

    /// - Parameters:
    ///   - message: the parser's.
    ///   - subcommand: that was asked for, if there is one of that name.
    init(_ message: String, _ subcommand: (any ParsableCommand.Type)?, _ arguments: [String] = CommandLine.arguments) {
        let isSurplus = message.hasPrefix("Unexpected argument") || message.contains("unexpected arguments:")
        if isSurplus, subcommand == nil, arguments.count > 1, !arguments[1].hasPrefix("-") {
            description = "there is no subcommand '\(arguments[1])'"
        } else if isSurplus, let name = subcommand?.configuration.commandName, Self.guestCommands.contains(name) {
            description = "\(message); a guest's arguments go after --"
        } else if message.hasPrefix("Unknown option '-"), let long = Self.longWithOneDash(arguments) {
            description = "\(message); an option of more than one letter takes two dashes: -\(long)"
        } else {
            description = message
        }
    }

    /// The command whose page has the options.
    static func helpCommand(
        _ subcommand: (any ParsableCommand.Type)?, _ arguments: [String] = CommandLine.arguments
    ) -> String {
        guard let subcommand, let name = subcommand.configuration.commandName else { return "vmm help" }
        let named = subcommand.configuration.subcommands.first {
            arguments.count > 2 && $0.configuration.commandName == arguments[2]
        }
        let inner = (named ?? subcommand.configuration.defaultSubcommand)?.configuration.commandName
        return "vmm help \(name)" + (inner.map { " \($0)" } ?? "")
    }

    /// An argument like QEMU's -kernel, before those of the guest.
    private static func longWithOneDash(_ arguments: [String]) -> String? {
        arguments.dropFirst(2).prefix { $0 != "--" }.first { argument in
            argument.count > 2 && argument.hasPrefix("-") && argument.dropFirst().allSatisfy { $0.isLetter }
        }
    }
}
