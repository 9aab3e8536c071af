import VMAddressSpace
import VMDirtyTracking
import VMHost
import VMMachine

/// Copies the memory of a running guest in rounds, until so little is left that the guest can stand still for it.
struct PreCopy: ~Copyable {
    let migration: OutgoingMigration
    let memory: SourceMemory
    let link: SourceLink
    let tracker: DirtyTracker
    let dirty = SharedRound()
    private var convergence: Convergence
    private(set) var throttle: ProcessorThrottle?

    /// How much is made clean at once before it is copied for the first time, in pages: as much as the kernel's log is
    /// cleared by in one call. What the guest writes before then need not be sent twice.
    private static let window: UInt64 = (64 << 20) / PageSize.size4K.bytes
    /// Pages go to channels by so many at a time, as many as fit a frame.
    static let share: UInt64 = 64

    init(_ migration: OutgoingMigration, _ memory: SourceMemory, _ link: SourceLink) {
        self.migration = migration
        self.memory = memory
        self.link = link
        tracker = migration.machine.dirtyTracker
        convergence = Convergence(migration.parameters)
    }

    /// - Throws: the guest runs as before then; but for `inDoubt`.
    mutating func run() throws(MigrationError) {
        let postCopy = migration.parameters.postCopy
        if postCopy.isDue(afterRounds: 0) { return try runWithoutRounds() }
        try MigrationError.wrap(MigrationError.tracking) { () throws(DirtyTrackingError) in
            try tracker.start(from: .dirty)
        }
        // Where the machine has ended, there is nothing to stop.
        defer {
            throttle?.end()
            try? tracker.stop()
        }
        var round = try sendFirstRound()
        while true {
            try checkGuest()
            round.harvestDuration = try harvest()
            let pending = dirty.pageCount
            round.pendingPages = pending
            let step = convergence.next(
                sent: round.sent.bytes, in: round.duration, found: round.dirtyPages << PageSize.size4K.shift,
                pending: pending << PageSize.size4K.shift)
            round.expectedDowntime = convergence.expectedDowntime(pending << PageSize.size4K.shift)
            migration.record.end(round, bandwidth: convergence.bandwidth)
            migration.onStage(.roundEnd)
            switch step {
            case .switchOver:
                return try switchOver(after: round.number)
            case .throttle, .anotherRound:
                if postCopy.isDue(afterRounds: round.number + 1) { return try switchToPostCopy(after: round.number) }
            }
            if case .throttle(let percent) = step { try slowDown(percent) }
            round = try sendRound(round.number + 1)
        }
    }

    // MARK: Rounds

    /// All pages, whether or not the guest sees them.
    private func sendFirstRound() throws(MigrationError) -> MigrationRound {
        let isClearedByRange = tracker.method == .manual
        if !isClearedByRange { _ = try harvest() }
        var round = MigrationRound()
        round.dirtyPages = memory.pageCount
        migration.record.begin(round)
        let began = MonotonicTime.now
        let before = migration.counters.value
        try link.sendRound(0) { [memory, dirty, tracker] (channel, count) throws(MigrationError) in
            let pages = FirstCopy(memory, channel, count)
            for (index, block) in memory.blocks.enumerated() {
                for first in stride(from: 0, to: block.pageCount, by: Int(Self.window)) {
                    let run = PageRun(block: index, pages: first..<min(first + Self.window, block.pageCount))
                    if isClearedByRange { try dirty.clear(run, of: memory, tracker) }
                    try pages.send(run)
                }
            }
        }
        round.sent = migration.counters.value - before
        round.duration = .now - began
        return round
    }

    /// The pages of the last harvest.
    private func sendRound(_ number: Int) throws(MigrationError) -> MigrationRound {
        var round = MigrationRound()
        round.number = number
        round.dirtyPages = dirty.pageCount
        round.throttlePercent = convergence.throttlePercent
        migration.record.begin(round)
        migration.onHarvest(dirty.round, number)
        let began = MonotonicTime.now
        let before = migration.counters.value
        try send(number, isLast: false)
        round.sent = migration.counters.value - before
        round.duration = .now - began
        return round
    }

    private func send(_ number: Int, isLast: Bool) throws(MigrationError) {
        try link.sendRound(UInt64(number), isLast: isLast) { [memory, dirty] (channel, count) throws(MigrationError) in
            try dirty.round.forEachRun { (range) throws(MigrationError) in
                try memory.forEachRun(at: range) { (run) throws(MigrationError) in
                    try run.forEachShare(of: channel.index, among: count) { (share) throws(MigrationError) in
                        try memory.forEachPlace(of: share) { (pages, pointer) throws(MigrationError) in
                            try channel.append(pages, from: pointer)
                        }
                    }
                }
            }
        }
    }

    /// - Returns: how long it took.
    private func harvest() throws(MigrationError) -> Duration {
        try MigrationError.wrap(MigrationError.tracking) { () throws(DirtyTrackingError) in
            try tracker.harvest(into: &dirty.round)
        }
        return dirty.round.duration
    }

    private mutating func slowDown(_ percent: Int) throws(MigrationError) {
        if throttle == nil {
            throttle = try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in
                try ProcessorThrottle(migration.machine)
            }
        }
        throttle?.percent = percent
        migration.record.throttle(percent)
    }

    private func checkGuest() throws(MigrationError) {
        if migration.machine.hasEnded { throw .guestEnded }
    }

    // MARK: Switching over

    /// - Parameter round: the last of pre-copy.
    private mutating func switchOver(after round: Int) throws(MigrationError) {
        throttle?.end()
        link.liftLimit()
        let switchOver = SwitchOver(migration, memory, link)
        switchOver.stopProcessors()
        migration.onStage(.stopped)
        do throws(MigrationError) {
            try checkGuest()
            // What was found last has not been sent: it is put back, and found again with what came since.
            dirty.round.putBack()
            let number = round + 1
            try switchOver.stage(.harvest) { () throws(MigrationError) in _ = try harvest() }
            migration.onHarvest(dirty.round, number)
            try switchOver.sendMemory(number, dirty.pageCount) { () throws(MigrationError) in
                try send(number, isLast: true)
            }
            migration.onStage(.memorySent)
            try switchOver.handOver()
        } catch .inDoubt(let error) {
            migration.machine.leavePaused()
            throw .inDoubt(error)
        } catch {
            migration.machine.resumeAfterCopy()
            throw error
        }
    }
}

/// A round that the threads of channels read, and one of them fills between.
final class SharedRound: @unchecked Sendable {
    // SAFETY: `round` is filled in the thread of `OutgoingMigration.run()` while no other is in `SourceLink.sendRound`, which
    // starts threads that read it and waits for their end. `clear` is for all of these threads, and takes a lock of its own.
    var round = DirtyRound()
    private let cleared = Monitor(Clearing())

    private struct Clearing: ~Copyable {
        var round = DirtyRound()
        /// How far each block is clean, in pages.
        var done: [Int: UInt64] = [:]
    }

    var pageCount: UInt64 { round.pageCount }

    /// Makes pages clean that are about to be copied for the first time, unless another channel has.
    func clear(_ run: PageRun, of memory: SourceMemory, _ tracker: DirtyTracker) throws(MigrationError) {
        try cleared.withLock { (state: inout Clearing) throws(MigrationError) in
            guard state.done[run.block] ?? 0 < run.pages.upperBound else { return }
            for range in memory.ranges(of: run) {
                do throws(DirtyTrackingError) {
                    try tracker.harvest(range, into: &state.round)
                } catch {
                    throw .tracking(error)
                }
            }
            state.done[run.block] = run.pages.upperBound
        }
    }
}
