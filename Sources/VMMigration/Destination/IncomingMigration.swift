import Synchronization
import VMHost
import VMMachine
import VMState

/// Receives a machine that another process sends, and goes on with it.
///
/// ```
/// let migration = try IncomingMigration(at: MigrationURI("unix:/tmp/guest"))
/// let machine = try migration.receive { model throws(MachineError) in try Machine(restoring: model, console: output) }
/// let result = machine.wait()
/// ```
///
/// What comes is believed in nothing: see `HandOverDecision` for who has the guest when.
///
/// It takes less time where the machine's memory is there already: `PreallocatedMemory`, which the closure has
/// `Machine.init(restoring:)` take backings from by `RegionBacking.init(empty:from:)`.
///
/// Where it listens, anybody can connect: who does not say the hello of a source soon is turned away, and it goes on listening.
/// From that hello on, a migration that fails ends `receive`.
///
/// Threads: `receive` blocks the calling thread, and is called once; the rest any thread may call at any time.
public final class IncomingMigration: Sendable {
    /// Until nothing is waited for any more.
    let reception: Monitor<Reception?>
    /// Where it listens, with the port that was chosen where 0 was asked for.
    public let uri: MigrationURI
    /// How long a peer may move no byte, once it has connected, before it is given up.
    let stallTimeout: Duration
    /// How long it may say that it is there, and nothing else; and how long it may take to give the guest away.
    let progressTimeout: Duration
    /// How long a source that has not heard what became of the guest is answered.
    let answerTimeout: Duration
    let cancellation: Cancellation
    let onNotice: @Sendable (String) -> Void
    /// Whether the source knows that the guest runs here, or is not answered any more; nil where that was never a question.
    let settling = Monitor<Bool?>(nil)
    let record: ProgressRecord
    let arrived = TransferCounters()
    /// Whether it can no longer be cancelled.
    private let isHandedOver = Monitor(false)
    let onStage: @Sendable (DestinationStage) -> Void
    /// Whether a guest may come before its memory.
    let allowsPostCopy: Bool
    /// How long a source may be away whose pages the guest waits for; nil for ever.
    let recoverTimeout: Duration?
    /// Of the memory that comes while the guest runs.
    let memoryEnd = Monitor<MemoryEnd?>(nil)

    /// Listens, or opens what is to be read.
    /// - Parameters:
    ///   - allowsPostCopy: whether a guest may come before its memory, where the host can do that.
    ///   - recoverTimeout: where the link is lost in post-copy, and the guest waits for a page, how long until it is given
    ///     up; nil for never.
    ///   - progressTimeout: how long a source may say that it is there, and nothing else, and how long it may take to give
    ///     the guest away.
    ///   - answerTimeout: where the link is lost as the guest changes hands, how long to go on listening for a source that
    ///     asks what has become of it. Longer than the source's `stallTimeout` and `rejoinTimeout` together.
    ///   - onNotice: gets a line, for people, for each connection that is no migration and was turned away, and where a source
    ///     is being waited for that may ask. In any thread, one at a time.
    public convenience init(
        at uri: MigrationURI, stallTimeout: Duration = .seconds(10), backend: IOBackend = .auto,
        allowsPostCopy: Bool = true, recoverTimeout: Duration? = .seconds(300),
        progressTimeout: Duration = .seconds(300), answerTimeout: Duration = .seconds(90),
        onNotice: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(TransportError) {
        try self.init(
            at: uri, stallTimeout: stallTimeout, backend: backend, allowsPostCopy: allowsPostCopy,
            recoverTimeout: recoverTimeout, progressTimeout: progressTimeout, answerTimeout: answerTimeout,
            onNotice: onNotice, onStage: { _ in })
    }

    /// - Parameter onStage: called in the thread of `receive`, which goes on when it returns.
    package init(
        at uri: MigrationURI, stallTimeout: Duration = .seconds(10), backend: IOBackend = .auto,
        allowsPostCopy: Bool = true, recoverTimeout: Duration? = .seconds(300),
        progressTimeout: Duration = .seconds(300), answerTimeout: Duration = .seconds(90),
        onNotice: @escaping @Sendable (String) -> Void = { _ in },
        onStage: @escaping @Sendable (DestinationStage) -> Void
    ) throws(TransportError) {
        self.onStage = onStage
        let cancellation = try Cancellation()
        let listener = try Listener(uri)
        self.uri = listener.uri
        reception = Monitor(
            Reception(
                listener, backend, stallTimeout: stallTimeout, progressTimeout: progressTimeout, report: onNotice))
        self.cancellation = cancellation
        self.progressTimeout = progressTimeout
        self.answerTimeout = answerTimeout
        self.onNotice = onNotice
        self.stallTimeout = stallTimeout
        self.allowsPostCopy = allowsPostCopy
        self.recoverTimeout = recoverTimeout
        record = ProgressRecord(arrived)
    }

    /// Ends it, if the guest is not this side's yet. Does not wait.
    public func cancel() {
        isHandedOver.withLock { if !$0 { cancellation.cancel() } }
    }

    /// The guest is this side's from here on: the source has to hear that it runs, so its connection stays.
    /// - Throws: `cancelled`, where it was before.
    func enterHandOver() throws(MigrationError) {
        try isHandedOver.withLock { (isHandedOver) throws(MigrationError) in
            if cancellation.isCancelled { throw .cancelled }
            isHandedOver = true
        }
    }

    /// Nobody comes any more.
    func stopListening() {
        reception.withLock { $0 = nil }
    }

    /// What this side can do beyond the least.
    var features: [String] {
        allowsPostCopy && (try? UserFault()) != nil ? [PostCopy.feature] : []
    }
}
