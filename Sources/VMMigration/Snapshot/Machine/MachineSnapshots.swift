import SystemPackage
import VMAddressSpace
import VMDirtyTracking
import VMHost
import VMMachine
import VMRegions
import VMState

/// Takes snapshots of a machine while it runs: a full one, then differential ones with the pages that were written since.
///
/// ```
/// let snapshots = MachineSnapshots(machine)
/// try snapshots.take("base.snapshot")
/// try snapshots.take("second.snapshot")  // differential
/// ```
///
/// Memory is copied while the guest runs, in rounds, as in a migration; it stands still for the last one and for its state. From
/// the first snapshot on, the machine's dirty pages are tracked, by this object alone. Where a snapshot fails, what was written
/// since the one before is in the next.
///
/// Threads: any, one call after another.
public final class MachineSnapshots: Sendable {
    public let machine: Machine
    private let state: Monitor<State>

    private struct State {
        /// What the next one is built on.
        var parent: SnapshotWriter.Parent?
        var isTracking = false
    }

    /// How a snapshot went.
    public struct Report: Hashable, Sendable {
        public let id: SnapshotID
        public let isFull: Bool
        /// How long the guest stood still.
        public internal(set) var pause = Duration.zero
        /// From its beginning until it was on the disk.
        public internal(set) var duration = Duration.zero
        /// How many pages the file has with data, and as zeros.
        public internal(set) var pages: (data: UInt64, zero: UInt64) {
            get { (dataPages, zeroPages) }
            set { (dataPages, zeroPages) = newValue }
        }
        private var dataPages: UInt64 = 0
        private var zeroPages: UInt64 = 0
        /// Pages that were copied in each round; those of the last while the guest stood still.
        public internal(set) var rounds: [UInt64] = []

        init(_ id: SnapshotID, isFull: Bool) {
            self.id = id
            self.isFull = isFull
        }
    }

    /// - Parameter snapshot: what the machine was restored from, for the first snapshot to be built on, where `startTracking()` is
    ///   called before the machine is started; else the first is a full one.
    public init(_ machine: Machine, restoredFrom snapshot: Snapshot? = nil) {
        self.machine = machine
        state = Monitor(State(parent: snapshot.map { SnapshotWriter.Parent(id: $0.id, path: $0.path) }))
    }

    deinit {
        if state.withLock(\.isTracking) { try? machine.dirtyTracker.stop() }
    }

    /// Begins to track what differs from the snapshot that the machine was restored from, before it is started; later, the first
    /// snapshot will be a full one.
    /// - Throws: `tracking`.
    public func startTracking() throws(MigrationError) {
        try state.withLock { (state) throws(MigrationError) in
            // What it has written by then, nobody knows.
            if machine.hasStarted { state.parent = nil }
            try startTracking(&state, from: .clean)
        }
    }

    private func startTracking(_ state: inout State, from baseline: DirtyBaseline) throws(MigrationError) {
        guard !state.isTracking else { return }
        try MigrationError.wrap(MigrationError.tracking) { () throws(DirtyTrackingError) in
            try machine.dirtyTracker.start(from: baseline)
        }
        state.isTracking = true
    }

    /// Takes a snapshot: a differential one, if there is one to build on, and no memory that was written since has been hidden.
    /// - Parameters:
    ///   - path: where it is to be.
    ///   - isFull: whether it is to be a full one in any case.
    ///   - replacing: whether a file that is there may be replaced.
    /// - Throws: `MigrationError`: `snapshot`, `tracking`, `regions`, `machine`, `guestEnded`. The guest runs then, and nothing
    ///   that was written is forgotten. No file is left, but for a `SnapshotError` of `synchronizeFolder`: the file is whole and
    ///   under its name then, and only that it is there may not survive a loss of power; it is not built upon.
    @discardableResult
    public func take(
        _ path: FilePath, isFull: Bool = false, replacing: Bool = false
    ) throws(MigrationError) -> Report {
        try state.withLock { (state) throws(MigrationError) in
            // Before anything of the machine changes.
            let memory = try MigrationError.wrap(MigrationError.regions) { () throws(RegionManagerError) in
                try SourceMemory(machine)
            }
            try checkSavable()
            let hidden = memory.hiddenDirtyPages
            // What was written before tracking began, nobody knows; and what has been hidden since, no harvest has.
            let parent = isFull || !state.isTracking || !hidden.isEmpty ? nil : state.parent
            let writer = try MigrationError.wrap(MigrationError.snapshot) { () throws(SnapshotError) in
                try SnapshotWriter(path: path, blocks: memory.blocks, parent: parent, replacing: replacing)
            }
            try startTracking(&state, from: parent == nil ? .dirty : .clean)
            let report = try SnapshotAttempt(machine, memory, writer, isFull: parent == nil).run()
            state.parent = SnapshotWriter.Parent(id: report.id, path: path)
            memory.clearDirtyPages(hidden)
            return report
        }
    }

    private func checkSavable() throws(MigrationError) {
        machine.pauseForCopy()
        defer { machine.resumeAfterCopy() }
        if machine.hasEnded { throw .guestEnded }
        try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in try machine.checkSavable() }
    }
}
