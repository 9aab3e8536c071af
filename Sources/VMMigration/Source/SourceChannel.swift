import VMHost

/// One of the connections of a source: memory goes out on it, and answers come in.
///
/// It is used by one thread at a time; in post-copy, by one that writes and one that reads.
final class SourceChannel: @unchecked Sendable {
    // SAFETY: `OutgoingMigration` uses it in its own thread, or in one that it has started for a round and waits for: starting
    // and joining order the two. In post-copy, a thread reads that was started for it: what reading and writing use has
    // nothing in common. `cancel()` touches the connection alone, which any thread may.
    let connection: Connection
    let index: Int
    var writer: FrameWriter<Connection>
    private var reader: FrameReader<Connection>
    private var replies: StreamState
    var chunks = MemoryChunkWriter()
    /// Whether another thread reads, so that one that writes does not.
    var hasOwnReader = false
    private let counters: TransferCounters
    private let limit: BandwidthLimit?
    /// How long the other side may say that it is there, and nothing else.
    var progressTimeout: Duration
    /// Which process has answered, as its hello names it.
    private(set) var peer = ""
    /// What of `chunks.counts` is in the counters.
    private var counted = PageCounts()

    init(
        _ connection: Connection, _ index: Int, _ counters: TransferCounters, _ limit: BandwidthLimit?,
        progressTimeout: Duration
    ) {
        self.progressTimeout = progressTimeout
        self.connection = connection
        self.index = index
        self.counters = counters
        self.limit = limit
        writer = FrameWriter(connection)
        reader = FrameReader(connection)
        replies = StreamState(index == 0 ? .mainReplies : .extraReplies)
    }

    var counts: PageCounts { chunks.counts }
    var digest: UInt64 { writer.digest }

    /// Agrees with the other side on what both speak.
    /// - Returns: its answer.
    @discardableResult
    func greet(_ hello: Hello) throws(MigrationError) -> Hello {
        try send(hello)
        let frame = try nextFrame()
        let (answer, _) = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
            try frame.hello(from: .destination)
        }
        guard answer.migration == hello.migration, answer.channel == hello.channel else {
            throw .refused(
                by: .source, "the answer is to another hello; is somebody else migrating to the same address?")
        }
        peer = answer.process
        writer.seed = hello.migration.seed(channel: index, from: .source)
        reader.seed = hello.migration.seed(channel: index, from: .destination)
        return answer
    }

    /// For a stream that nobody answers.
    func greetWithoutAnswer(_ hello: Hello) throws(MigrationError) {
        try send(hello)
        writer.seed = hello.migration.seed(channel: index, from: .source)
    }

    func send<Message: StreamMessage>(_ message: Message) throws(MigrationError) {
        try passing { (channel) throws(StreamFailure<TransportError>) in try channel.writer.send(message) }
    }

    func send(_ type: FrameType) throws(MigrationError) {
        try passing { (channel) throws(StreamFailure<TransportError>) in try channel.writer.send(type) }
    }

    func send(_ type: FrameType, encoded records: [UInt8]) throws(MigrationError) {
        try passing { (channel) throws(StreamFailure<TransportError>) in
            try records.withUnsafeBufferPointer { (bytes) throws(StreamFailure<TransportError>) in
                try channel.writer.send(type, UnsafeRawBufferPointer(bytes))
            }
        }
    }

    /// Adds pages, which are sent when there are enough.
    func append(_ run: PageRun, from source: UnsafeRawPointer) throws(MigrationError) {
        try passing { (channel) throws(StreamFailure<TransportError>) in
            try channel.chunks.append(run, from: source, to: &channel.writer)
        }
        try account()
    }

    func appendZeros(_ run: PageRun) throws(MigrationError) {
        try passing { (channel) throws(StreamFailure<TransportError>) in
            try channel.chunks.appendZeros(run, to: &channel.writer)
        }
        try account()
    }

    /// Ends a round, and waits until its pages are in place.
    /// - Parameter started: what had been sent when it began.
    func endRound(_ number: UInt64, since started: PageCounts, isLast: Bool) throws(MigrationError) {
        try passing { (channel) throws(StreamFailure<TransportError>) in
            try channel.chunks.flush(to: &channel.writer)
        }
        try account()
        try send(RoundEnd(round: number, sent: chunks.counts - started, isLast: isLast))
    }

    func waitForRound(_ number: UInt64) throws(MigrationError) {
        let done: RoundDone = try receive()
        guard done.round == number else {
            throw .refused(by: .source, "round \(done.round) was confirmed, where \(number) was sent")
        }
    }

    func receive<Message: StreamMessage>() throws(MigrationError) -> Message {
        let frame = try nextFrame()
        return try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in try frame.message() }
    }

    /// Waits for a frame without a message.
    func expect(_ type: FrameType) throws(MigrationError) {
        let frame = try nextFrame()
        guard frame.type == type else {
            throw .refused(by: .source, "\(frame.type) came where \(type) was due")
        }
    }

    /// The next frame that says something.
    /// - Throws: `refused` where that is an abort; `noProgress`.
    func nextFrame() throws(MigrationError) -> Frame {
        // In post-copy, the destination may have nothing to ask for as long as pages go out.
        try reader.nextWord(&replies, of: .destination, within: progressTimeout) { connection.bytesWritten }
    }

    /// Pages follow the guest when it runs at the destination.
    func expectsPostCopy() {
        replies.isPostCopy = true
    }

    /// After the hellos of a link that takes the place of one that was lost.
    func beginRecovery() {
        replies = replies.recovering
    }

    /// Whether pages are to follow the guest.
    var isInPostCopy: Bool { replies.isPostCopy }

    /// After the hellos of a link on which this side asks what has become of the guest.
    func beginAsking() {
        replies = replies.asking
    }

    func account() throws(MigrationError) {
        let new = chunks.counts - counted
        counted = chunks.counts
        counters.add(new)
        guard new.bytes > 0, let limit, let due = limit.spend(new.bytes) else { return }
        // The other side hears of this one also where very little may be sent.
        while MonotonicTime.now < due {
            let pause = MonotonicTime.now.advanced(by: Self.keepaliveInterval)
            do throws(TransferFailure) {
                try connection.cancellation.wait(for: 0, on: -1, until: min(due, pause))
            } catch .stalled {
                if pause < due { try send(.keepalive) }
            } catch {
                throw .cancelled
            }
        }
    }

    private static let keepaliveInterval = Duration.seconds(1)

    /// What the other side said, where a write fails because it has gone: it may have aborted.
    private func passing(
        _ body: (SourceChannel) throws(StreamFailure<TransportError>) -> Void
    ) throws(MigrationError) {
        do throws(StreamFailure<TransportError>) {
            try body(self)
        } catch {
            throw explained(MigrationError(error))
        }
    }

    /// An error, or what the other side has said before that it explains.
    func explained(_ error: MigrationError) -> MigrationError {
        guard case .transport(let failure) = error, failure.isPeerGone, connection.canReceive, !hasOwnReader,
            let reason = lastWords()
        else { return error }
        return .refused(by: .destination, reason)
    }

    private func lastWords() -> String? {
        // A destination that aborts has sent nothing else that was not read.
        do throws(MigrationError) {
            while true { _ = try nextFrame() }
        } catch .refused(_, let reason) {
            return reason
        } catch {
            return nil
        }
    }
}
