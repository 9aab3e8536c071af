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
/// What comes is believed in nothing: see `OutgoingMigration` for who has the guest when.
///
/// Threads: `receive` blocks the calling thread, and is called once; the rest any thread may call at any time.
public final class IncomingMigration: Sendable {
    /// Until nothing is waited for any more.
    private let listener: Monitor<OpenListener?>
    /// Where it listens, with the port that was chosen where 0 was asked for.
    public let uri: MigrationURI
    private let backend: IOBackend
    /// How long a peer may move no byte, once it has connected, before it is given up.
    let stallTimeout: Duration
    private let cancellation: Cancellation
    let record: ProgressRecord
    let arrived = TransferCounters()
    /// Whether it can no longer be cancelled.
    private let isHandedOver = Monitor(false)
    let onStage: @Sendable (DestinationStage) -> Void
    /// Whether a guest may come before its memory.
    private let allowsPostCopy: Bool
    /// How long a source may be away whose pages the guest waits for; nil for ever.
    let recoverTimeout: Duration?
    /// Of the memory that comes while the guest runs.
    let memoryEnd = Monitor<MemoryEnd?>(nil)

    /// Listens, or opens what is to be read.
    /// - Parameters:
    ///   - allowsPostCopy: whether a guest may come before its memory, where the host can do that.
    ///   - recoverTimeout: where the link is lost in post-copy, and the guest waits for a page, how long until it is given
    ///     up; nil for never.
    public convenience init(
        at uri: MigrationURI, stallTimeout: Duration = .seconds(10), backend: IOBackend = .auto,
        allowsPostCopy: Bool = true, recoverTimeout: Duration? = .seconds(300)
    ) throws(TransportError) {
        try self.init(
            at: uri, stallTimeout: stallTimeout, backend: backend, allowsPostCopy: allowsPostCopy,
            recoverTimeout: recoverTimeout, onStage: { _ in })
    }

    /// - Parameter onStage: called in the thread of `receive`, which goes on when it returns.
    package init(
        at uri: MigrationURI, stallTimeout: Duration = .seconds(10), backend: IOBackend = .auto,
        allowsPostCopy: Bool = true, recoverTimeout: Duration? = .seconds(300),
        onStage: @escaping @Sendable (DestinationStage) -> Void
    ) throws(TransportError) {
        self.onStage = onStage
        let cancellation = try Cancellation()
        let listener = try Listener(uri, cancellation: cancellation)
        self.uri = listener.uri
        self.listener = Monitor(OpenListener(listener))
        self.cancellation = cancellation
        self.backend = backend
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

    /// Waits for a source, and receives what it sends.
    ///
    /// - Parameters:
    ///   - connectTimeout: how long to wait for it; nil for ever.
    ///   - make: makes a machine of a model. What it throws is told to the source.
    /// - Returns: the machine, started.
    /// - Throws: `MigrationError`. The guest does not run here, and the machine that was made is gone.
    public func receive(
        connectTimeout: Duration? = nil, _ make: (MachineState) throws(MachineError) -> Machine
    ) throws(MigrationError) -> Machine {
        do throws(MigrationError) {
            let main = try accept(until: connectTimeout)
            return try receive(on: main, make)
        } catch {
            stopListening()
            throw error
        }
    }

    private func receive(
        on main: DestinationChannel, _ make: (MachineState) throws(MachineError) -> Machine
    ) throws(MigrationError) -> Machine {
        do throws(MigrationError) {
            return try arrive(on: main, make)
        } catch {
            // What the source has ended, or cannot hear, needs no further word.
            switch error {
            case .refused(by: .source, _), .transport: break
            default: main.abort("\(error)")
            }
            throw error
        }
    }

    /// Nobody comes any more.
    func stopListening() {
        listener.withLock { $0 = nil }
    }

    func accept(until timeout: Duration?) throws(MigrationError) -> DestinationChannel {
        guard let open = listener.withLock(\.self) else { throw .transport(.noFurtherConnection(uri)) }
        do throws(TransportError) {
            let connection = try open.listener.accept(
                deadline: timeout.map { .now + $0 }, backend: backend, cancellation: cancellation)
            connection.stallTimeout = stallTimeout
            return DestinationChannel(connection)
        } catch .cancelled {
            throw .cancelled
        } catch {
            throw .transport(error)
        }
    }

    private func arrive(
        on main: DestinationChannel, _ make: (MachineState) throws(MachineError) -> Machine
    ) throws(MigrationError) -> Machine {
        let features = features
        let hello = try main.greet(features)
        onStage(.hello)
        guard hello.channel == 0 else { throw .refused(by: .destination, "the main channel has to come first") }
        var extra: [DestinationChannel] = []
        for _ in 1..<hello.channelCount {
            let channel = try accept(until: stallTimeout)
            let other = try channel.greet(features)
            guard other.migration == hello.migration, other.channelCount == hello.channelCount,
                other.channel == extra.count + 1
            else { throw .refused(by: .destination, "channel \(other.channel) is not the one that is due") }
            extra.append(channel)
        }
        let model = try main.records(.description)
        let machine = try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in try make(model) }
        let memory = try TargetMemory(machine)
        let arrival =
            hello.features.contains(PostCopy.feature) && features.contains(PostCopy.feature)
            ? try PostCopyArrival(self, machine, memory, hello.migration) : nil
        try main.reply(.accepted)
        onStage(.accepted)
        return try ArrivingMachine(machine, memory, main, extra, of: self, arrival).run()
    }

    /// What this side can do beyond the least.
    private var features: [String] {
        allowsPostCopy && (try? UserFault()) != nil ? [PostCopy.feature] : []
    }
}

/// A listener that is closed when nobody accepts from it any more.
private final class OpenListener: Sendable {
    let listener: Listener

    init(_ listener: consuming Listener) {
        self.listener = listener
    }
}
