import Glibc
import TestSupport
import Testing
import VMHost
import VMMachine
import VMMigration
import VMRegions
import VMState

/// A guest on its way to another machine of the process, by post-copy.
final class PostCopyMove: Sendable {
    private struct State {
        var arrived: Machine?
        var destinationFailure: MigrationError?
        var sourceFailure: MigrationError?
        var hasSourceEnded = false
        var hasDestinationEnded = false
        var threads: [pthread_t] = []
    }

    let source: LiveMachine
    let outgoing: OutgoingMigration
    let incoming: IncomingMigration
    let link: CutLink
    private let preallocated: PreallocatedMemory?
    private let folder: TemporaryFolder
    private let state = Monitor(State())

    /// Sets off.
    /// - Parameter preallocated: what the destination has ready.
    init(
        _ source: LiveMachine, rounds: Int = 0, channels: Int = 1, backend: IOBackend = .auto,
        cutAfter budgets: [Int] = [],
        breaks: Bool = false, allowsPostCopy: Bool = true, recoverTimeout: Duration? = .seconds(60),
        preallocated: PreallocatedMemory? = nil
    ) throws {
        self.source = source
        self.preallocated = preallocated
        folder = try TemporaryFolder()
        let path = folder.path("socket")
        incoming = try IncomingMigration(
            at: MigrationURI("unix:" + path), backend: backend, allowsPostCopy: allowsPostCopy,
            recoverTimeout: recoverTimeout)
        link = try CutLink(to: path, cutAfter: budgets, breaks: breaks)
        // It never converges, so that all rounds are made.
        outgoing = try OutgoingMigration(
            source.machine, to: link.uri,
            MigrationParameters(
                downtimeLimit: .zero, channels: channels, backend: backend, postCopy: .afterRounds(rounds)))
        let threads = try [
            HostThread.start(stackSize: 1 << 20) { [self] in receive() },
            HostThread.start(stackSize: 1 << 20) { [self] in send() },
        ]
        state.withLock { $0.threads = threads }
    }

    private func receive() {
        var failure: MigrationError?
        do throws(MigrationError) {
            let machine = try incoming.receive(connectTimeout: .seconds(60)) { (model) throws(MachineError) in
                try Machine(
                    restoring: model, MachineConfiguration.Restoring(timeout: LiveMachine.timeout),
                    console: source.console,
                    backing: { (saved) throws(RegionBackingError) in
                        try RegionBacking(empty: saved, from: preallocated)
                    })
            }
            state.change { $0.arrived = machine }
        } catch {
            failure = error
        }
        state.change { state in
            state.destinationFailure = failure
            state.hasDestinationEnded = true
        }
    }

    private func send() {
        var failure: MigrationError?
        do throws(MigrationError) { try outgoing.run() } catch { failure = error }
        state.change { state in
            state.sourceFailure = failure
            state.hasSourceEnded = true
        }
    }

    /// Waits until the source is in a state.
    /// - Returns: whether it came to be within a minute.
    func wait(for statuses: MigrationStatus...) -> Bool {
        let deadline = Deadline(.seconds(60))
        while !statuses.contains(outgoing.progress.status) {
            if deadline.hasPassed { return false }
            usleep(500)
        }
        return true
    }

    /// Waits until the source is done.
    /// - Returns: why it has failed.
    func sourceEnd() -> MigrationError? {
        state.wait { $0.hasSourceEnded ? .some($0.sourceFailure) : nil }
    }

    /// Waits until the destination has the guest, or has not.
    /// - Returns: why not.
    func destinationEnd() -> MigrationError? {
        state.wait { $0.hasDestinationEnded ? .some($0.destinationFailure) : nil }
    }

    /// Why memory has not come.
    func memoryEnd() -> MigrationError? {
        do throws(MigrationError) {
            try incoming.waitForMemory()
            return nil
        } catch {
            return error
        }
    }

    /// Waits until everything has moved.
    func finish() throws -> LiveMachine {
        let source = sourceEnd()
        #expect(source == nil, "\(source.map { "\($0)" } ?? "")")
        let destination = destinationEnd()
        #expect(destination == nil, "\(destination.map { "\($0)" } ?? "")")
        let memory = memoryEnd()
        #expect(memory == nil, "\(memory.map { "\($0)" } ?? "")")
        #expect(outgoing.progress.status == .completed)
        // Where the rounds had sent everything, nothing came afterwards.
        #expect([.none, .completed].contains(incoming.progress.status))
        return try arrived()
    }

    /// The machine at the destination.
    func arrived() throws -> LiveMachine {
        let machine = state.withLock { state in
            defer { state.arrived = nil }
            return state.arrived
        }
        return try LiveMachine(started: try #require(machine), source.console)
    }

    /// To be called at the end.
    func end() {
        outgoing.cancel()
        let threads = state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { pthread_join(thread, nil) }
        link.end()
    }
}

extension PostCopyMove {
    /// The machine at the destination, once the guest runs there.
    func whileArriving() throws -> LiveMachine {
        let failure = destinationEnd()
        #expect(failure == nil, "\(failure.map { "\($0)" } ?? "")")
        return try arrived()
    }

    /// Why memory has not come, for a guest that has.
    func memoryEnd(after failure: MigrationError?) -> MigrationError? {
        #expect(failure == nil, "\(failure.map { "\($0)" } ?? "")")
        return memoryEnd()
    }
}
