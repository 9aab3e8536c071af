import ArgumentParser

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show what vmm can do, by itself and with proofs.",
        subcommands: [MigrationDemoCommand.self])
}
