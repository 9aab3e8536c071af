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
    /// Where pages may follow the guest.
    private let postCopy: PostCopyArrival?

    /// How long to wait for the word, in one call.
    private static let patience = Duration.seconds(3600)

    init(
        _ machine: Machine, _ memory: TargetMemory, _ main: DestinationChannel, _ extra: [DestinationChannel],
        of migration: IncomingMigration, _ postCopy: PostCopyArrival?
    ) {
        self.migration = migration
        self.machine = machine
        self.memory = memory
        self.main = main
        self.extra = extra
        self.postCopy = postCopy
    }

    /// - Returns: the machine, started.
    func run() throws(MigrationError) -> Machine {
        let others = try ExtraChannels(extra, memory, main.connection)
        let state: MachineState
        var missing = PageSet(memory.blocks)
        do throws(MigrationError) {
            let frame = try receiveMemory(&missing)
            state = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in try frame.state() }
        } catch {
            others.cancel()
            throw others.join() ?? error
        }
        let began = MonotonicTime.now
        try restore(state)
        let end = try main.nextFrame()
        if let error = others.join() { throw error }
        let following = try check(end, others.digests, missing)
        try following?.prepare(for: missing)
        migration.onStage(.restored)
        do throws(MigrationError) {
            try main.reply(Ready(restoreNanoseconds: UInt64(clamping: (.now - began).nanoseconds)))
            migration.onStage(.readySent)
            try waitForCommit()
            migration.onStage(.committed)
            let started = try start()
            following?.begin(on: main)
            return started
        } catch {
            following?.cancel()
            throw error
        }
    }

    /// - Parameter missing: gets the pages that come again in post-copy.
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

    /// Whether all has come, and as it was sent.
    /// - Returns: what receives the rest, where pages follow.
    private func check(
        _ frame: Frame, _ others: [UInt64], _ missing: PageSet
    ) throws(MigrationError) -> PostCopyArrival? {
        let end: End = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
            let end: End = try frame.message()
            try frame.check(end.digests, against: [frame.precedingDigest] + others)
            return end
        }
        if end.isPostCopy {
            guard let postCopy else { throw .refused(by: .destination, "post-copy was not agreed on") }
            main.expectPostCopy()
            return postCopy
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
        return nil
    }

    /// - Throws: where the guest is still the source's. Also where that is gone: nobody but a source that lives can tell that
    ///   it does not run the guest.
    private func waitForCommit() throws(MigrationError) {
        // It has nothing to say but this, and may take its time; only its end or its word ends the wait.
        main.connection.stallTimeout = Self.patience
        _ = try main.nextFrame()
        try migration.enterHandOver()
    }

    private func start() throws(MigrationError) -> Machine {
        let began = MonotonicTime.now
        try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in try machine.start() }
        migration.onStage(.started)
        // Whether or not the source hears it, the guest runs here.
        try? main.reply(Running(startNanoseconds: UInt64(clamping: (.now - began).nanoseconds)))
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
                        state.withLock { if $0.failure == nil { $0.failure = error } }
                        // The main channel has nothing to wait for any more.
                        main.cancel()
                    }
                }
                state.withLock { $0.threads.append(thread) }
            } catch {
                cancel()
                _ = join()
                throw .thread(error)
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

    func cancel() {
        for channel in channels { channel.connection.cancel() }
    }

    /// Waits for all of them.
    /// - Returns: why the first failed.
    func join() -> MigrationError? {
        let threads = state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { pthread_join(thread, nil) }
        return state.withLock(\.failure)
    }

    /// By channel.
    var digests: [UInt64] {
        state.withLock { state in channels.map { state.digests[$0.index] ?? 0 } }
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
