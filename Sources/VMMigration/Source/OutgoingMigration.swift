import Synchronization
import VMDirtyTracking
import VMHost
import VMMachine
import VMRegions
import VMState

/// Moves a running machine to another process, or into a stream in a file: pre-copy, then a switch-over.
///
/// ```
/// let migration = try OutgoingMigration(machine, to: MigrationURI("unix:/tmp/guest"))
/// try migration.run()  // the machine has ended, and its guest runs elsewhere
/// ```
///
/// # Who has the guest
/// The source, until it has sent its word that the guest is the destination's (`commit`), which it does once the destination has
/// confirmed that it has everything (`ready`). Whatever fails before, the guest goes on at the source, and the destination ends:
/// it never runs a guest without that word, also where the source is gone.
///
/// From the word on, the source's machine goes on only where the destination cannot run the guest. Where the link is lost in
/// between, the source connects again and asks (`MigrationParameters.rejoinTimeout`); `HandOverDecision` argues why there are
/// never two, and when there is none. Without an answer nobody can know (the two generals' problem), and the source keeps the
/// guest still and its state: `inDoubt`. `cancel()` ends the asking.
///
/// With post-copy (`MigrationParameters.postCopy`) the same holds for the guest, but its memory is on both hosts from the word on,
/// until `run()` returns: see `PostCopy`. Where the link is lost then, the source connects again until it succeeds, or `cancel()`
/// gives the guest up (`guestLost`).
///
/// A file cannot answer: what is in it is whole before it gets its name, and the machine ends then. Nor can a pipe: the guest is
/// lost where whoever reads it fails.
///
/// Threads: `run()` blocks the calling thread, and is called once; the rest any thread may call at any time.
public final class OutgoingMigration: Sendable {
    public let machine: Machine
    public let uri: MigrationURI
    public let parameters: MigrationParameters
    let cancellation: Cancellation
    let counters = TransferCounters()
    let record: ProgressRecord
    /// Called in the thread of `run()` with each harvest, before its pages are sent.
    let onHarvest: @Sendable (borrowing DirtyRound, _ round: Int) -> Void
    let onStage: @Sendable (SourceStage) -> Void

    /// - Parameter onHarvest: called in the thread of `run()` with what was dirty at the start of each round but the first.
    public convenience init(
        _ machine: Machine, to uri: MigrationURI, _ parameters: MigrationParameters = .init(),
        onHarvest: @escaping @Sendable (borrowing DirtyRound, _ round: Int) -> Void = { _, _ in }
    ) throws(TransportError) {
        try self.init(machine, to: uri, parameters, onHarvest: onHarvest, onStage: { _ in })
    }

    /// - Parameter onStage: called in the thread of `run()`, which goes on when it returns.
    package init(
        _ machine: Machine, to uri: MigrationURI, _ parameters: MigrationParameters = .init(),
        onHarvest: @escaping @Sendable (borrowing DirtyRound, _ round: Int) -> Void = { _, _ in },
        onStage: @escaping @Sendable (SourceStage) -> Void
    ) throws(TransportError) {
        self.machine = machine
        self.uri = uri
        self.parameters = parameters
        self.onHarvest = onHarvest
        self.onStage = onStage
        cancellation = try Cancellation()
        record = ProgressRecord(counters)
    }

    /// How far it is.
    public var progress: MigrationProgress { record.progress }

    /// Ends it, if the guest has not been handed over; the machine goes on. In post-copy, gives the guest up while the link to it
    /// is lost. Does not wait.
    public func cancel() {
        guard record.beginCancelling() else { return }
        cancellation.cancel()
    }

    /// Moves the machine. When it returns, the guest runs at the destination, and this machine has ended (`handedOver`).
    /// - Throws: `MigrationError`. The machine is as it was, and its guest runs where it ran before; but for `inDoubt` and
    ///   `guestLost`.
    public func run() throws(MigrationError) {
        record.begin()
        do throws(MigrationError) {
            try migrate()
        } catch {
            record.fail(error)
            throw error
        }
    }

    private func migrate() throws(MigrationError) {
        let memory = try MigrationError.wrap(MigrationError.regions) { () throws(RegionManagerError) in
            try SourceMemory(machine)
        }
        // Before anybody hears of it: a guest that cannot be saved is not moved.
        let model = try model()
        onStage(.setup)
        let link = try SourceLink(self)
        do throws(MigrationError) {
            onStage(.connected)
            try link.open(model)
            onStage(.accepted)
            record.enter(.active, total: memory.pageCount)
            var preCopy = PreCopy(self, memory, link)
            try preCopy.run()
        } catch {
            link.abort(error)
            throw error
        }
    }

    /// What the machine is made of.
    private func model() throws(MigrationError) -> MachineState {
        machine.pauseForCopy()
        defer { machine.resumeAfterCopy() }
        return try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in try machine.saveModel() }
    }
}
