import Glibc
import SystemPackage
import VMHost
import VMState

/// The channels of a source, as one: opened together, and used side by side.
final class SourceLink: Sendable {
    let uri: MigrationURI
    let parameters: MigrationParameters
    let cancellation: Cancellation
    let counters: TransferCounters
    private let limit: BandwidthLimit?
    let id = MigrationID.random()
    let main: SourceChannel
    /// How many channels there are once it is open.
    private let channelCount: Int
    private let extra = Monitor<[SourceChannel]>([])

    /// What it needs the other side to be able to do.
    private var features: [String] { parameters.postCopy == .off ? [] : [PostCopy.feature] }
    static let program = "swift-vmm"
    /// A channel's thread copies pages and calls the kernel.
    private static let stackSize = 256 << 10

    /// Whether somebody answers.
    var isAnswered: Bool { main.connection.isBidirectional }

    /// Connects.
    init(_ migration: OutgoingMigration) throws(MigrationError) {
        uri = migration.uri
        parameters = migration.parameters
        cancellation = migration.cancellation
        counters = migration.counters
        let limit = migration.parameters.maxBandwidth.map(BandwidthLimit.init)
        self.limit = limit
        let connection = try Self.connect(uri, parameters, cancellation)
        guard parameters.postCopy == .off || connection.isBidirectional else { throw .oneWay(uri) }
        guard parameters.channels <= 1 || connection.isBidirectional && uri.canBeRejoined else { throw .oneWay(uri) }
        main = SourceChannel(
            connection, 0, migration.counters, limit, progressTimeout: migration.parameters.progressTimeout)
        channelCount = max(1, min(parameters.channels, Hello.channelLimit))
    }

    static func connect(
        _ uri: MigrationURI, _ parameters: MigrationParameters, _ cancellation: Cancellation
    ) throws(MigrationError) -> Connection {
        do throws(TransportError) {
            let connection = try Connection.connect(
                uri, deadline: .now + parameters.connectTimeout, backend: parameters.backend, cancellation: cancellation
            )
            connection.stallTimeout = parameters.stallTimeout
            return connection
        } catch .cancelled {
            throw .cancelled
        } catch {
            throw .transport(error)
        }
    }

    private var channels: [SourceChannel] { [main] + extra.withLock(\.self) }

    /// Agrees on all there is to agree on, up to the destination having made an equal machine.
    func open(_ model: MachineState) throws(MigrationError) {
        for index in 0..<channelCount {
            // One after another: the other side waits for nobody long who says nothing.
            let channel = index == 0 ? main : try connectExtraChannel(index)
            let hello = Hello(
                side: .source, program: Self.program, migration: id, channel: channel.index,
                channelCount: channelCount, features: features, process: ProcessName.own)
            guard isAnswered else {
                try channel.greetWithoutAnswer(hello)
                continue
            }
            let answer = try channel.greet(hello)
            if parameters.postCopy != .off { try checkPostCopy(answer) }
        }
        try main.send(.description, encoded: model.encoded)
        if isAnswered { try main.expect(.accepted) }
    }

    private func connectExtraChannel(_ index: Int) throws(MigrationError) -> SourceChannel {
        let channel = SourceChannel(
            try Self.connect(uri, parameters, cancellation), index, counters, limit,
            progressTimeout: parameters.progressTimeout)
        extra.withLock { $0.append(channel) }
        return channel
    }

    /// Sends a round: each page goes by the same channel in all rounds, so that none overtakes a later copy of itself.
    /// - Parameter send: sends what is the channel's, one of so many.
    func sendRound(
        _ number: UInt64, isLast: Bool = false,
        _ send: @escaping @Sendable (SourceChannel, _ count: Int) throws(MigrationError) -> Void
    ) throws(MigrationError) {
        let count = channelCount
        try together { (channel) throws(MigrationError) in
            let before = channel.counts
            try send(channel, count)
            try channel.endRound(number, since: before, isLast: isLast)
        }
        // Afterwards, as all of them are under way then.
        guard isAnswered else { return }
        do throws(MigrationError) {
            for channel in channels { try channel.waitForRound(number) }
        } catch {
            throw main.explained(error)
        }
    }

    /// Lets all bytes go as fast as they can.
    func liftLimit() {
        limit?.lift()
    }

    /// Ends the memory: all channels say what they have sent, the main one for all of them.
    /// - Parameters:
    ///   - memory: digests of what blocks contain, where they are to be compared.
    ///   - isPostCopy: whether pages follow when the guest runs there.
    func sendEnd(memory: [UInt64] = [], isPostCopy: Bool = false) throws(MigrationError) {
        var digests: [UInt64] = []
        for channel in extra.withLock(\.self) {
            try channel.send(End(digests: [channel.digest], sent: channel.counts))
            digests.append(channel.digest)
        }
        try main.send(
            End(digests: [main.digest] + digests, sent: main.counts, isPostCopy: isPostCopy, memory: memory))
    }

    /// Tells the other side that nothing comes of it, where it can be told.
    func abort(_ error: MigrationError) {
        // What the other side has ended, or cannot understand, needs no further word.
        switch error {
        case .refused(by: .destination, _), .transport, .inDoubt: break
        default:
            // A connection that was cancelled takes no more calls, but its peer sees the end of it.
            try? main.send(Abort(reason: "\(error)"))
        }
    }

    private func together(
        _ body: @escaping @Sendable (SourceChannel) throws(MigrationError) -> Void
    ) throws(MigrationError) {
        let extra = extra.withLock(\.self)
        guard !extra.isEmpty else { return try body(main) }
        let failure = Monitor<MigrationError?>(nil)
        let shared = FirstFailure(failure)
        var threads: [pthread_t] = []
        for channel in extra {
            do throws(Errno) {
                threads.append(
                    try HostThread.start(stackSize: Self.stackSize) {
                        do throws(MigrationError) { try body(channel) } catch { shared.note(error) }
                    })
            } catch {
                shared.note(.thread(error))
            }
        }
        do throws(MigrationError) { try body(main) } catch { shared.note(error) }
        for thread in threads { pthread_join(thread, nil) }
        if let error = shared.error { throw main.explained(error) }
    }
}

/// Of several threads, why the first failed.
private final class FirstFailure: Sendable {
    private let first: Monitor<MigrationError?>

    init(_ first: consuming Monitor<MigrationError?>) {
        self.first = first
    }

    var error: MigrationError? { first.withLock(\.self) }

    func note(_ error: MigrationError) {
        first.withLock { if $0 == nil { $0 = error } }
    }
}
