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
/// Until the destination has confirmed that it has everything (`ready`), the source owns the guest: whatever fails, it goes on
/// there. From then on the destination may run it, once it is told to (`commit`), or finds that the source has ended without
/// taking its word back. So from `ready` on the source's machine only goes on if the destination says that it has given up, or
/// is gone: its end of the connection is closed, which it does not do before it has said that it runs the guest. Where neither
/// is heard, nobody can know (the two generals' problem), and the source keeps the guest still and its state: `inDoubt`.
///
/// A file cannot answer: what is in it is whole before it gets its name, and the machine ends then.
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

    /// - Parameter onHarvest: called in the thread of `run()` with what was dirty at the start of each round but the first.
    public init(
        _ machine: Machine, to uri: MigrationURI, _ parameters: MigrationParameters = .init(),
        onHarvest: @escaping @Sendable (borrowing DirtyRound, _ round: Int) -> Void = { _, _ in }
    ) throws(TransportError) {
        self.machine = machine
        self.uri = uri
        self.parameters = parameters
        self.onHarvest = onHarvest
        cancellation = try Cancellation()
        record = ProgressRecord(counters)
    }

    /// How far it is.
    public var progress: MigrationProgress { record.progress }

    /// Ends it, if the guest has not been handed over; the machine goes on. Does not wait.
    public func cancel() {
        guard record.beginCancelling() else { return }
        cancellation.cancel()
    }

    /// Moves the machine. When it returns, the guest runs at the destination, and this machine has ended (`handedOver`).
    /// - Throws: `MigrationError`. The machine is as it was, and its guest runs where it ran before; but for `inDoubt`.
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
        let link = try SourceLink(self)
        do throws(MigrationError) {
            try link.open(try model())
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
        machine.pause()
        defer { machine.resume() }
        return try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in try machine.saveModel() }
    }
}
