import Glibc
import VMHost
import VMState

/// One of the connections of a destination: memory comes in on it, and answers go out.
///
/// It is used by one thread at a time; in post-copy, by one that reads and, at a time, one that writes.
final class DestinationChannel: @unchecked Sendable {
    // SAFETY: `IncomingMigration` uses it in its own thread, or in one that it has started for it and waits for: starting and
    // joining order the two. The two threads of a `FirstRound` read in turns, with its lock held. In post-copy, `PostCopyArrival` reads in its own thread, and writes with its link locked: what
    // reading and writing use has nothing in common.
    let connection: Connection
    private var reader: FrameReader<Connection>
    private var writer: FrameWriter<Connection>
    private var state = StreamState(.main)
    /// How long the source may say that it is there, and nothing else.
    var progressTimeout: Duration
    private(set) var index = 0
    private var channelCount = 1
    /// Whether no memory has come but that of the first round.
    private var isFilling = true
    /// Of all frames that came.
    var digest: UInt64 { reader.digest }

    init(_ connection: Connection, progressTimeout: Duration) {
        self.connection = connection
        self.progressTimeout = progressTimeout
        reader = FrameReader(connection)
        writer = FrameWriter(connection)
    }

    /// Whether the source hears answers.
    var isAnswered: Bool { connection.isBidirectional }

    /// The source's hello, and the version of the protocol that both speak.
    func readHello() throws(MigrationError) -> (hello: Hello, version: UInt32) {
        let frame = try nextFrame()
        return try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
            try frame.hello(from: .source)
        }
    }

    /// Answers it.
    /// - Parameter features: what this side can do beyond the least.
    func answer(_ hello: Hello, _ version: UInt32, _ features: [String]) throws(MigrationError) {
        index = hello.channel
        channelCount = hello.channelCount
        if index > 0 { state = StreamState(.extra).following(.hello) ?? state }
        try reply(hello.answer(version: version, program: SourceLink.program, features: features))
        reader.seed = hello.migration.seed(channel: index, from: .source)
        writer.seed = hello.migration.seed(channel: index, from: .destination)
    }

    /// The records of a frame that has to come next.
    func records(_ type: FrameType) throws(MigrationError) -> MachineState {
        let frame = try nextFrame()
        guard frame.type == type else { throw .refused(by: .destination, "\(frame.type) came where \(type) was due") }
        return try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in try frame.state() }
    }

    func reply<Message: StreamMessage>(_ message: Message) throws(MigrationError) {
        guard isAnswered else { return }
        do throws(StreamFailure<TransportError>) { try writer.send(message) } catch { throw MigrationError(error) }
    }

    func reply(_ type: FrameType) throws(MigrationError) {
        guard isAnswered else { return }
        do throws(StreamFailure<TransportError>) { try writer.send(type) } catch { throw MigrationError(error) }
    }

    func abort(_ reason: String) {
        try? reply(Abort(reason: reason))
    }

    /// Tells the source why it all came to nothing, unless it knows, or cannot hear it.
    func explain(_ error: MigrationError) {
        switch error {
        case .refused(by: .source, _), .transport: break
        default: abort("\(error)")
        }
    }

    /// Pages follow the guest when it runs here.
    func expectPostCopy() {
        state.isPostCopy = true
    }

    /// After the hellos of a link that takes the place of one that was lost.
    func beginRecovery() {
        state = state.recovering
    }

    /// After the hellos of a link on which the source asks what has become of the guest.
    func beginAnswering() {
        state = state.asking
    }

    /// Says which pages have not come, and that these are all.
    func sendMissing(_ pages: ReceivedPages) throws(MigrationError) {
        var list = MissingPagesWriter()
        let send = { (payload: UnsafeRawBufferPointer) throws(MigrationError) in
            do throws(StreamFailure<TransportError>) {
                try self.writer.send(.missing, payload)
            } catch {
                throw MigrationError(error)
            }
        }
        try pages.forEachMissing { (run) throws(MigrationError) in try list.append(run, send) }
        try list.finish(send)
    }

    /// Receives rounds of memory up to what ends them.
    /// - Parameter onRound: called when the source knows that a round has arrived.
    /// - Returns: the frame that is neither memory nor the end of a round.
    func receiveMemory(into memory: TargetMemory, onRound: () -> Void) throws(MigrationError) -> Frame {
        while true {
            let frame =
                isFilling
                ? try FirstRound(self, memory).receive(alone: channelCount * 2 > Self.processorCount) : try nextFrame()
            isFilling = false
            switch frame.type {
            case .memory: try memory.place(try chunk(frame, memory))
            case .roundEnd:
                let end: RoundEnd = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
                    try frame.message()
                }
                // What comes from now on, and is not zero, has come before.
                memory.endFilling()
                try reply(RoundDone(round: end.round))
                onRound()
            default:
                memory.endFilling()
                return frame
            }
        }
    }

    /// The next pages.
    /// - Parameter room: for a payload. It gets that of the pages.
    /// - Returns: them, or what comes after the memory.
    func nextChunk(of memory: TargetMemory, _ room: inout PayloadRoom) throws(MigrationError) -> ChunkOrFrame {
        let frame = try nextFrame()
        guard frame.type == .memory else { return .frame(frame) }
        let chunk = try chunk(frame, memory)
        reader.exchange(&room)
        return .chunk(chunk)
    }

    enum ChunkOrFrame {
        case chunk(MemoryChunk)
        case frame(Frame)
    }

    private func chunk(_ frame: Frame, _ memory: TargetMemory) throws(MigrationError) -> MemoryChunk {
        try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
            try MemoryChunk(frame, of: memory.blocks)
        }
    }

    private static let processorCount = sysconf(CInt(_SC_NPROCESSORS_ONLN))

    /// The next frame that says something.
    /// - Throws: `refused` where that is an abort; `noProgress`.
    func nextFrame() throws(MigrationError) -> Frame {
        try reader.nextWord(&state, of: .source, within: progressTimeout)
    }
}
