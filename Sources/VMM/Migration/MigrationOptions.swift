import ArgumentParser
import VMMachine
import VMMigration

/// The flags that say how a machine migrates. The names are QEMU's parameters where it has the same.
struct MigrationOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("How long the guest may stand still at the switch-over (default 300ms).", valueName: "time"),
        transform: { try $0.parsed("a time, such as 300ms or 1s", TimeLimit.init) })
    var downtimeLimit: TimeLimit?

    @Option(
        name: .long,
        help: ArgumentHelp("Bytes a second to send at most while the guest runs: 100M, 1G.", valueName: "size"),
        transform: { try $0.parsed("a size, such as 100M or 1G", ByteSize.init) })
    var maxBandwidth: ByteSize?

    @Flag(name: .long, help: "Slow the guest's CPUs down where it would not converge otherwise.")
    var autoConverge = false

    @Option(
        name: .long, help: ArgumentHelp("How many connections to send memory over (default 1).", valueName: "count"))
    var multifdChannels: Int?

    @Flag(
        name: .customLong("postcopy"),
        help: ArgumentHelp(
            "Move the guest first, and its memory while it runs there.",
            discussion: """
                The guest stands still for the same short time however much memory it has. But from then on its memory is \
                on two hosts: if either side dies, or the link is lost and never comes back, the guest is lost. Where the \
                link is lost, this side connects again until it succeeds or is interrupted.
                """))
    var postCopy = false

    @Option(
        name: .customLong("postcopy-after"),
        help: ArgumentHelp(
            "The same after N rounds of copying, if the guest cannot stand still for the rest by then.", valueName: "n")
    )
    var postCopyAfter: Int?

    @Option(name: .long, help: "How bytes are moved: auto (the default), ring for io_uring, or plain system calls.")
    var io: IOBackend?

    /// The first that was given, if one was.
    var firstFlag: String? {
        let flags = [
            (downtimeLimit != nil, "--downtime-limit"), (maxBandwidth != nil, "--max-bandwidth"),
            (autoConverge, "--auto-converge"), (multifdChannels != nil, "--multifd-channels"), (postCopy, "--postcopy"),
            (postCopyAfter != nil, "--postcopy-after"), (io != nil, "--io"),
        ]
        return flags.first(where: \.0)?.1
    }

    /// - Parameter verifyingMemory: whether both sides are to compare digests of memory.
    func parameters(verifyingMemory: Bool = false) throws(Failure) -> MigrationParameters {
        var parameters = MigrationParameters()
        if let downtimeLimit { parameters.downtimeLimit = downtimeLimit.duration }
        if let maxBandwidth {
            guard maxBandwidth.bytes > 0 else {
                throw Failure(
                    .usage, "--max-bandwidth: at 0 bytes a second nothing is ever sent; leave it out for no limit")
            }
            parameters.maxBandwidth = maxBandwidth.bytes
        }
        parameters.autoConverge = autoConverge
        if let multifdChannels {
            guard 1...Hello.channelLimit ~= multifdChannels else {
                throw Failure(.usage, "--multifd-channels: \(multifdChannels) is not from 1 to \(Hello.channelLimit)")
            }
            parameters.channels = multifdChannels
        }
        parameters.backend = io ?? .auto
        if let postCopyAfter {
            guard postCopyAfter >= 0 else {
                throw Failure(.usage, "--postcopy-after: \(postCopyAfter) rounds cannot be made")
            }
            guard !postCopy || postCopyAfter == 0 else {
                throw Failure(.usage, "--postcopy is without any round; leave it out with --postcopy-after")
            }
            parameters.postCopy = .afterRounds(postCopyAfter)
        } else if postCopy {
            parameters.postCopy = .afterRounds(0)
        }
        guard parameters.postCopy == .off || !verifyingMemory else {
            throw Failure(
                .usage,
                "--postcopy: memory cannot be compared at the switch-over, as it is on both hosts; leave out one of them"
            )
        }
        parameters.verifiesMemory = verifyingMemory
        return parameters
    }
}

extension IOBackend: ExpressibleByArgument {
    public init?(argument: String) {
        switch argument {
        case "auto": self = .auto
        case "ring": self = .ring
        case "plain": self = .plain
        default: return nil
        }
    }

    public static var allValueStrings: [String] { ["auto", "ring", "plain"] }

    /// As `init(argument:)` takes it.
    var name: String {
        switch self {
        case .auto: "auto"
        case .ring: "ring"
        case .plain: "plain"
        }
    }
}

extension MigrationURI {
    /// - Parameter flag: for the message.
    init(_ text: String, flag: String) throws(Failure) {
        do throws(MigrationURIError) {
            try self.init(text)
        } catch {
            throw Failure(.usage, "\(flag): \(error)")
        }
    }
}
