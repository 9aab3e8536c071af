import ArgumentParser
import VMMachine
import VMMigration

struct MigrationDemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migration", abstract: "Move a running guest to another process, and write a report.",
        discussion: """
            The built-in guest dirty writes stamps to its memory and checks them all the time. After a while it moves to a \
            second process of this program, 'vmm receive', runs on there, and ends. Shown are the rounds of the copy as they \
            go on, and what the guest stood still for at the end.

            Proved is that nothing was lost: the guest's checks go on without a gap, both sides agree on a digest of all \
            memory at the switch-over, and the guest finds all it wrote at its end.

              vmm demo migration
              vmm demo migration --set 64M --rate 2G --auto-converge --max-bandwidth 200M
              vmm demo migration --output report.html --picture picture.svg

            Exit status: 0 all was proved; 1 something was not; 71 the guest did not move; otherwise as of 'vmm run'.
            """)

    @Option(
        name: .long, help: ArgumentHelp("How much memory the guest writes (default 256M).", valueName: "size"),
        transform: { try $0.parsed("a size, such as 64M or 1G", ByteSize.init) })
    var set = ByteSize(bytes: 256 << 20)

    @Option(
        name: .long,
        help: ArgumentHelp("How fast: bytes of pages a second (default 200M), or max.", valueName: "size"),
        transform: { try $0.parsed("a size a second, such as 100M, or max", DemoGuest.Rate.init) })
    var rate = DemoGuest.Rate.limited(ByteSize(bytes: 200 << 20))

    @Option(name: .long, help: "In which order: random (the default), sequential, or hot, most of it to a tenth.")
    var pattern = DemoGuest.Pattern.random

    @Option(
        name: [.customShort("m"), .long],
        help: ArgumentHelp("The machine's RAM (default 64M more than --set).", valueName: "size"),
        transform: { try $0.parsed("a size, such as 64M or 1G", ByteSize.init) })
    var memory: ByteSize?

    @Option(name: [.customShort("c"), .long], help: "How many CPUs the guest has and uses.")
    var cpus = 1

    @Option(
        name: .long, help: ArgumentHelp("How long it runs before it moves (default 2s).", valueName: "time"),
        transform: { try $0.parsed("a time, such as 2s or 500ms", TimeLimit.init) })
    var after = TimeLimit(.seconds(2))

    @Option(
        name: .long, help: ArgumentHelp("How long it runs on afterwards (default 3s).", valueName: "time"),
        transform: { try $0.parsed("a time, such as 3, 3s or 500ms", TimeLimit.init) })
    var seconds = TimeLimit(.seconds(3))

    @Option(
        name: .long,
        help: ArgumentHelp("Where the report goes.", valueName: "file"))
    var output = "migration-report.html"

    @Option(
        name: .long, help: ArgumentHelp("Draw rounds and downtime to FILE as well, as SVG.", valueName: "file"))
    var picture: String?

    @Option(name: .long, help: "How written pages are tracked: auto (the default), log, manual, or ring.")
    var dirtyTracking = MachineConfiguration.DirtyTracking.auto

    @OptionGroup(title: "Migration options") var migration: MigrationOptions

    func run() throws {
        let guest = try DemoGuest(
            set: set, rate: rate, pattern: pattern, memory: memory, cpus: cpus, tracking: dirtyTracking)
        let parameters = try migration.parameters(verifyingMemory: true)
        var page = try OutputFile(output, label: "--output")
        var drawing: OutputFile? = if let picture { try OutputFile(picture, label: "--picture") } else { nil }
        let demo = MigrationDemo(
            guest: guest, parameters: parameters, timeBefore: after.duration, timeAfter: seconds.duration)
        let recording = try demo.run()
        try page.write(MigrationPage(recording).document)
        try drawing?.write(MigrationPicture(recording).document)
        let files = [output, picture].compactMap(\.self).joined(separator: ", ").escapingControlCharacters
        try CommandOutput.print("\nThe report is in \(files).")
        let isProved = MigrationProof.all(recording).allSatisfy(\.holds)
        throw ExitCode((isProved ? ExitStatus.success : .refused).rawValue)
    }
}
