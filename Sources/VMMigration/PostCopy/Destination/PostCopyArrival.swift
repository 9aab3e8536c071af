import Glibc
import SystemPackage
import VMHost
import VMMachine

/// Receives the pages of a guest that runs here already.
///
/// Three kinds of threads meet in it: whoever touches a page that is missing sleeps; the fault thread asks the source for
/// it; and a thread of its own takes what comes, and lets them go on. Where the link is lost, the guest runs until all of
/// its processors wait, and a source that comes back sends what is missing by then.
final class PostCopyArrival: Sendable {
    let migration: IncomingMigration
    let decision: HandOverDecision
    let machine: Machine
    let memory: FaultedMemory
    let awaited = AwaitedPages()
    /// Where requests go; nil while there is no link.
    let link = Monitor<DestinationChannel?>(nil)
    private let faults = Monitor<FaultThread?>(nil)
    private let ending = MemoryEnd()
    /// Why faults cannot be served any more.
    private let failure = Monitor<MigrationError?>(nil)

    private static let stackSize = 256 << 10
    /// How long processors that were told to stop may take to do so.
    private static let stopMicroseconds: useconds_t = 100_000

    /// - Throws: `userFault`, where the host cannot do it with the machine's memory.
    init(
        _ migration: IncomingMigration, _ machine: Machine, _ target: TargetMemory, _ decision: HandOverDecision
    ) throws(MigrationError) {
        self.migration = migration
        self.decision = decision
        self.machine = machine
        memory = try FaultedMemory(machine, target)
        try memory.probe()
    }

    var received: ReceivedPages { memory.target.received }

    /// Drops pages that come again, while the guest still runs at the source or stands still there.
    /// - Parameter missing: gets those that a frame names.
    func discard(_ frame: Frame, _ missing: inout PageSet) throws(MigrationError) {
        let list = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
            try MissingPages(frame, of: memory.target.blocks)
        }
        for run in list.runs {
            missing.insert(run)
            try memory.discard(run)
        }
    }

    /// From now on, whoever touches pages that are missing waits. The guest does not run yet.
    func prepare(for missing: PageSet) throws(MigrationError) {
        try memory.register()
        // Before that, the kernel may have put huge pages where some were dropped.
        try memory.discardAgain(missing)
        let count = received.missingCount
        guard count == missing.count else {
            throw .refused(
                by: .destination, "\(count) pages have not come, and only \(missing.count) are said to follow")
        }
        try memory.beginArriving()
        let thread = try FaultThread(
            memory, onFault: { [self] (page, address) throws(MigrationError) in try handle(page, at: address) },
            onIdle: { [self] in keepAlive() }, onFailure: { [self] in stop($0) })
        faults.withLock { $0 = thread }
        migration.memoryEnd.withLock { $0 = ending }
    }

    /// The guest stays with the source.
    func cancel() {
        end(.success(()))
        migration.memoryEnd.withLock { $0 = nil }
    }

    /// The guest runs: receives what it lacks from here on.
    func begin(on channel: DestinationChannel) {
        migration.record.beginPostCopy(pages: received.missingCount)
        channel.connection.stallTimeout = migration.stallTimeout
        do throws(Errno) {
            let thread = try HostThread.start(stackSize: Self.stackSize) { [self] in run(channel) }
            pthread_detach(thread)
        } catch {
            lose(.thread(error))
        }
    }

    /// Faults cannot be served any more.
    private func stop(_ error: MigrationError) {
        failure.withLock { $0 = error }
        link.withLock { $0?.connection.shutDown() }
    }

    // MARK: Receiving

    private func run(_ channel: DestinationChannel) {
        var channel = channel
        attach(channel)
        while true {
            do throws(MigrationError) {
                try receive(on: channel)
                complete()
                return linger(channel)
            } catch {
                detach(channel)
                do throws(MigrationError) {
                    if let failure = failure.withLock(\.self) { throw failure }
                    guard !isFatal(error) else { throw error }
                    channel = try reconnect(after: error)
                } catch .guestEnded {
                    return complete()
                } catch {
                    return lose(error)
                }
            }
        }
    }

    /// Returns once all is there, or the guest has ended; the source has been told.
    func receive(on channel: DestinationChannel) throws(MigrationError) {
        // A report on how the guest has ended may need pages too.
        while !(machine.hasEnded && ending.isAwaited) {
            let frame = try channel.nextFrame()
            switch frame.type {
            case .memory:
                let chunk = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
                    try MemoryChunk(frame, of: memory.target.blocks)
                }
                try memory.place(chunk)
                account(chunk, UInt64(frame.payload.count))
            default:
                try check(frame)
                return try link.withLock { (_) throws(MigrationError) in
                    try channel.reply(Received(digest: channel.digest))
                }
            }
        }
        try link.withLock { (_) throws(MigrationError) in try channel.reply(.released) }
    }

    private func account(_ chunk: MemoryChunk, _ byteCount: UInt64) {
        var counts = PageCounts(bytes: byteCount)
        chunk.forEachRun { run, bytes in
            if bytes == nil { counts.zero += UInt64(run.pages.count) } else { counts.data += UInt64(run.pages.count) }
            awaited.remove(run) { migration.record.add(latency: $0) }
        }
        migration.arrived.add(counts)
    }

    /// Whether all has come, and as it was sent.
    private func check(_ frame: Frame) throws(MigrationError) {
        try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
            let complete: Complete = try frame.message()
            try frame.check([complete.digest], against: [frame.precedingDigest])
            do throws(MemoryError) {
                try received.checkComplete()
            } catch {
                throw frame.error(.memory(error))
            }
        }
    }

    // MARK: Ends

    /// What no other link would help with.
    private func isFatal(_ error: MigrationError) -> Bool {
        // Of memory, the host may have some later.
        if case .userFault(let reason) = error, case .place(_, let errno) = reason { return errno != .noMemory }
        return !migration.uri.canBeRejoined
    }

    private func complete() {
        migration.record.completePostCopy()
        end(.success(()))
    }

    /// The guest cannot go on.
    private func lose(_ error: MigrationError) {
        let count = received.missingCount
        let loss: MigrationError
        if case .guestLost = error { loss = error } else { loss = .guestLost(missingPages: count, reason: "\(error)") }
        migration.record.fail(loss)
        machine.stop()
        // Processors that wait leave the guest by a signal. Whoever does not, such as a device, wakes to zeros afterwards:
        // the guest must not.
        usleep(Self.stopMicroseconds)
        end(.failure(loss))
    }

    private func end(_ result: Result<Void, MigrationError>) {
        memory.unregister()
        let thread = faults.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.end()
        memory.endArriving()
        ending.tell(result)
    }
}
