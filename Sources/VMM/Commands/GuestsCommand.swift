import ArgumentParser
import BuiltInGuests

struct GuestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guests", abstract: "List the built-in guests.",
        discussion: "Each runs by its name: vmm run NAME [-- ARGUMENTS].")

    func run() throws {
        var lines: [String] = []
        let width = BuiltInGuest.all.map(\.name.count).max() ?? 0
        for guest in BuiltInGuest.all {
            lines.append(guest.name + String(repeating: " ", count: width - guest.name.count) + "  " + guest.summary)
            if !guest.usage.isEmpty {
                lines.append(String(repeating: " ", count: width) + "  -- \(guest.usage)")
            }
        }
        try CommandOutput.print(lines.joined(separator: "\n"))
    }
}
