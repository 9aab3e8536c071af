import VMAddressSpace
import VMDirtyTracking
import VMHost
import VMMachine
import VMState

/// One snapshot being taken.
struct SnapshotAttempt: ~Copyable {
    private let machine: Machine
    private let memory: SourceMemory
    private var writer: SnapshotWriter
    private let began = MonotonicTime.now
    private var report: MachineSnapshots.Report
    /// What was found dirty, and is put back where it comes to nothing.
    private var harvests: [Harvest] = []

    /// A round that is kept.
    private final class Harvest {
        var round = DirtyRound()
    }

    /// So little that the guest may stand still for it.
    private static let fewPages: UInt64 = 64
    private static let roundLimit = 8

    init(_ machine: Machine, _ memory: SourceMemory, _ writer: consuming SnapshotWriter, isFull: Bool) {
        report = MachineSnapshots.Report(writer.id, isFull: isFull)
        self.machine = machine
        self.memory = memory
        self.writer = writer
    }

    consuming func run() throws(MigrationError) -> MachineSnapshots.Report {
        do throws(MigrationError) {
            if report.isFull { try writeAll() }
            try writeRounds()
            let state = try pauseAndFinish()
            report.pages = writer.pageCounts
            do throws(SnapshotError) {
                _ = try writer.commit(state: state)
            } catch {
                throw .snapshot(error)
            }
            report.duration = .now - began
            return report
        } catch {
            for harvest in harvests { harvest.round.putBack() }
            throw error
        }
    }

    // MARK: Steps

    /// All pages that are not zero, while the guest runs.
    private mutating func writeAll() throws(MigrationError) {
        _ = try harvest()
        let populated = PopulatedPages()
        for (index, block) in memory.blocks.enumerated() {
            try memory.forEachPlace(of: PageRun(block: index, pages: 0..<block.pageCount)) {
                (place, pointer) throws(MigrationError) in
                guard memory.isAnonymous(index) else { return try write(place, pointer) }
                try populated.forEachTouchedRun(of: place, at: pointer) { (run, pointer) throws(MigrationError) in
                    try write(run, pointer)
                }
            }
        }
        report.rounds.append(memory.pageCount)
    }

    /// What was written meanwhile, until little is left, or a round leaves more than half of what it found.
    private mutating func writeRounds() throws(MigrationError) {
        var before = UInt64.max
        for _ in 0..<Self.roundLimit {
            let found = try harvest()
            try writeLast()
            report.rounds.append(found)
            guard found > Self.fewPages, found < before else { return }
            before = found / 2
        }
    }

    private mutating func pauseAndFinish() throws(MigrationError) -> MachineState {
        let paused = MonotonicTime.now
        machine.pauseForCopy()
        defer {
            machine.resumeAfterCopy()
            report.pause = .now - paused
        }
        if machine.hasEnded { throw .guestEnded }
        report.rounds.append(try harvest())
        try writeLast()
        return try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in
            MachineState(try machine.saveModel().records + machine.saveState().records)
        }
    }

    // MARK: Pages

    /// - Returns: how many pages were dirty.
    private mutating func harvest() throws(MigrationError) -> UInt64 {
        let harvest = Harvest()
        try MigrationError.wrap(MigrationError.tracking) { () throws(DirtyTrackingError) in
            try machine.dirtyTracker.harvest(into: &harvest.round)
        }
        harvests.append(harvest)
        return harvest.round.pageCount
    }

    private mutating func writeLast() throws(MigrationError) {
        guard let last = harvests.last else { return }
        try last.round.forEachRun { (range) throws(MigrationError) in
            try memory.forEachRun(at: range) { (run) throws(MigrationError) in
                try memory.forEachPlace(of: run) { (pages, pointer) throws(MigrationError) in
                    try write(pages, pointer)
                }
            }
        }
    }

    private mutating func write(_ run: PageRun, _ pointer: UnsafeRawPointer) throws(MigrationError) {
        do throws(SnapshotError) {
            try writer.write(run, from: pointer)
        } catch {
            throw .snapshot(error)
        }
    }
}
