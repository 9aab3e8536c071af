import Glibc
import SystemPackage
import VMHost
import VMMachine
import VMRegions
import VMState

/// A machine that arrives: its memory, then its state, then the word that it is this side's.
struct ArrivingMachine: ~Copyable {
    private let machine: Machine
    private let memory: TargetMemory
    private let main: DestinationChannel
    private let extra: [DestinationChannel]
    private let migration: IncomingMigration
    private let decision: HandOverDecision
    /// Where pages may follow the guest.
    private let postCopy: PostCopyArrival?

    struct Arrived {
        let started: Machine
        /// Where pages follow.
        let following: PostCopyArrival?
    }

    init(
        _ machine: Machine, _ memory: TargetMemory, _ main: DestinationChannel, _ extra: [DestinationChannel],
        of migration: IncomingMigration, _ decision: HandOverDecision, _ postCopy: PostCopyArrival?
    ) {
        self.decision = decision
        self.migration = migration
        self.machine = machine
        self.memory = memory
        self.main = main
        self.extra = extra
        self.postCopy = postCopy
    }

    /// - Returns: the machine, started.
    func run() throws(MigrationError) -> Arrived {
        memory.beginFilling()
        let others = try ExtraChannels(extra, memory, main.connection)
        let state: MachineState
        let end: End
        var missing = PageSet(memory.blocks)
        do throws(MigrationError) {
            (state, end) = try receiveAll(others, &missing)
        } catch {
            throw others.end(because: error)
        }
        let following = end.isPostCopy ? postCopy : nil
        do throws(MigrationError) {
            try prepare(state, end, missing, following)
            try waitForCommit()
        } catch {
            following?.cancel()
            // Nothing of it is left when the source, and whoever called, hear of that.
            machine.stop()
            _ = machine.wait()
            throw error
        }
        return Arrived(started: release(), following: following)
    }

    /// Does all that may fail, and says that it is done.
    private func prepare(
        _ state: MachineState, _ end: End, _ missing: PageSet, _ following: PostCopyArrival?
    ) throws(MigrationError) {
        let arrived = MonotonicTime.now
        // Before the state: restoring some of it writes to memory, as the guest's clocks do.
        try compare(end.memory)
        let compared = MonotonicTime.now
        try restore(state)
        try following?.prepare(for: missing)
        try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in try machine.startHeld() }
        let ready = Ready(
            restoreNanoseconds: UInt64(clamping: (.now - compared).nanoseconds),
            compareNanoseconds: UInt64(clamping: (compared - arrived).nanoseconds))
        migration.onStage(.restored)
        decision.becomeReady()
        try main.reply(ready)
        migration.onStage(.readySent)
    }

    /// Receives memory and state, on all channels.
    /// - Parameter missing: gets the pages that come again in post-copy.
    private func receiveAll(
        _ others: ExtraChannels, _ missing: inout PageSet
    ) throws(MigrationError) -> (MachineState, End) {
        let frame = try receiveMemory(&missing)
        let state = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in try frame.state() }
        let last = try main.nextFrame()
        return (state, try check(last, try others.join(), missing))
    }

    /// - Returns: what comes after the memory.
    private func receiveMemory(_ missing: inout PageSet) throws(MigrationError) -> Frame {
        while true {
            let frame = try main.receiveMemory(into: memory) { migration.onStage(.round) }
            guard frame.type == .missing else { return frame }
            guard let postCopy else { throw .refused(by: .destination, "post-copy was not agreed on") }
            try postCopy.discard(frame, &missing)
        }
    }

    private func restore(_ state: MachineState) throws(MigrationError) {
        try MigrationError.wrap(MigrationError.regions) { () throws(RegionManagerError) in
            try machine.regions.withTurn { manager throws(RegionManagerError) in try manager.endFilling() }
        }
        try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in try machine.restoreState(state) }
    }

    /// Whether all has come that is to come before the guest, and as it was sent.
    private func check(_ frame: Frame, _ others: [UInt64], _ missing: PageSet) throws(MigrationError) -> End {
        let end: End = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
            let end: End = try frame.message()
            try frame.check(end.digests, against: [frame.precedingDigest] + others)
            return end
        }
        guard !end.isPostCopy else {
            guard postCopy != nil else { throw .refused(by: .destination, "post-copy was not agreed on") }
            main.expectPostCopy()
            return end
        }
        guard missing.count == 0 else {
            throw .refused(by: .destination, "\(missing.count) pages are said to be missing, and nothing follows")
        }
        try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
            do throws(MemoryError) {
                try memory.received.checkComplete()
            } catch {
                throw frame.error(.memory(error))
            }
        }
        return end
    }

    /// Whether memory is what it is at the source.
    /// - Parameter digests: the source's; none where it does not ask.
    private func compare(_ digests: [UInt64]) throws(MigrationError) {
        guard !digests.isEmpty else { return }
        let own = try memory.digests()
        guard digests.count == own.count else {
            throw .refused(by: .destination, "\(digests.count) digests of memory came for \(own.count) blocks")
        }
        for (index, block) in memory.blocks.enumerated() where digests[index] != own[index] {
            throw .memoryDiffers(block: block.name)
        }
    }

    /// - Throws: where it has not come, and will not be read any more. Also where the source is gone: nobody but a source that
    ///   lives can tell that it does not run the guest.
    private func waitForCommit() throws(MigrationError) {
        // It has nothing to say but this, and may take its time.
        main.connection.stallTimeout = migration.progressTimeout
        defer { main.connection.stallTimeout = migration.stallTimeout }
        do throws(MigrationError) {
            _ = try main.nextFrame()
        } catch .transport(.stalled(let uri, let direction, let time)) {
            // The link is there: it hears of it when it comes to itself.
            decision.decide(isRunning: false)
            main.abort("the guest was not given away for \(time)")
            throw .transport(.stalled(uri, direction, after: time))
        }
        try migration.enterHandOver()
        migration.onStage(.committed)
    }

    /// Lets the guest run, which is this side's.
    private func release() -> Machine {
        decision.decide(isRunning: true)
        migration.onStage(.taken)
        // First, as it takes no time, and a vCPU may keep this thread from its processor. Whether or not the source hears it,
        // the guest is this side's.
        try? main.reply(.running)
        machine.release()
        return machine
    }
}

/// The channels beside the main one, each received by a thread of its own.
private final class ExtraChannels: Sendable {
    private struct State {
        var failure: MigrationError?
        var digests: [Int: UInt64] = [:]
        var threads: [pthread_t] = []
    }

    private let channels: [DestinationChannel]
    private let state = Monitor(State())
    private static let stackSize = 256 << 10

    init(_ channels: [DestinationChannel], _ memory: TargetMemory, _ main: Connection) throws(MigrationError) {
        self.channels = channels
        for channel in channels {
            do throws(Errno) {
                let thread = try HostThread.start(stackSize: Self.stackSize) { [self] in
                    do throws(MigrationError) {
                        let digest = try Self.receive(channel, memory)
                        state.withLock { $0.digests[channel.index] = digest }
                    } catch {
                        note(error)
                        // The main channel has nothing to wait for any more, but may say why.
                        main.endReceiving()
                    }
                }
                state.withLock { $0.threads.append(thread) }
            } catch {
                throw end(because: .thread(error))
            }
        }
    }

    /// - Returns: the digest of all that came.
    private static func receive(
        _ channel: DestinationChannel, _ memory: TargetMemory
    ) throws(MigrationError) -> UInt64 {
        let frame = try channel.receiveMemory(into: memory) {}
        return try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
            let end: End = try frame.message()
            try frame.check(end.digests, against: [frame.precedingDigest])
            return channel.digest
        }
    }

    private func note(_ error: MigrationError) {
        state.withLock { if $0.failure == nil { $0.failure = error } }
    }

    /// Ends them, for an error of the main channel.
    /// - Returns: why it all failed: what happened first.
    func end(because error: MigrationError) -> MigrationError {
        note(error)
        for channel in channels { channel.connection.endReceiving() }
        joinThreads()
        return state.withLock(\.failure) ?? error
    }

    /// Waits until all has come.
    /// - Returns: the digests, by channel.
    func join() throws(MigrationError) -> [UInt64] {
        joinThreads()
        return try state.withLock { (state) throws(MigrationError) in
            if let failure = state.failure { throw failure }
            return channels.map { state.digests[$0.index] ?? 0 }
        }
    }

    private func joinThreads() {
        let threads = state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { pthread_join(thread, nil) }
    }
}

extension Duration {
    /// Rounded down; at most 292 years.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, isLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return isLong ? (seconds < 0 ? .min : .max) : scaled &+ attoseconds / 1_000_000_000
    }
}
