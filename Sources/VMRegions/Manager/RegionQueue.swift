import Glibc
import SystemPackage
import VMHost

/// The executor of a region manager: one thing after another, in the order in which they are asked for.
///
/// Jobs of Swift's concurrency run on a thread of its own, since a change may have to wait for devices and vCPUs, which
/// the cooperative pool is not there for. The thread is started with the first job, and ends when there has been none for
/// a while. Other threads take their turn where they are.
final class RegionQueue: SerialExecutor {
    private struct State {
        /// Of the next that asks.
        var nextTicket: UInt64 = 0
        /// Whose turn it is.
        var turn: UInt64 = 0
        /// The thread whose turn it is.
        var holder: pthread_t?
        var jobs: [(ticket: UInt64, run: @Sendable () -> Void)] = []
        var hasThread = false

        mutating func takeTicket() -> UInt64 {
            defer { nextTicket += 1 }
            return nextTicket
        }
    }

    private let state = Monitor(State())
    private let idleTime: Duration
    private let stackSize: Int

    /// - Parameters:
    ///   - idleTime: how long the thread stays without a job.
    ///   - stackSize: of the thread, in bytes.
    init(idleTime: Duration = .seconds(2), stackSize: Int = 512 << 10) {
        self.idleTime = idleTime
        self.stackSize = stackSize
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        enqueue { [self] in job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    /// Runs `body` when it is its turn; does not wait for that.
    func enqueue(_ body: @escaping @Sendable () -> Void) {
        let needsThread = state.change { state in
            state.jobs.append((state.takeTicket(), body))
            defer { state.hasThread = true }
            return !state.hasThread
        }
        guard needsThread else { return }
        do {
            pthread_detach(try HostThread.start(stackSize: stackSize) { self.runJobs(waitingFor: self.idleTime) })
        } catch {
            // The host has no room for a thread. Who has the turn does the jobs at its end.
            if isHeldByCaller {
                state.withLock { $0.hasThread = false }
            } else {
                runJobs(waitingFor: .zero)
            }
        }
    }

    /// Runs `body` on the calling thread, once it is its turn.
    func withTurn<Result: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        waitForTurn(nil)
        defer { endTurn() }
        return try body()
    }

    /// Whether the calling thread has the turn.
    var isHeldByCaller: Bool {
        state.withLock { $0.holder.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    func checkIsolated() {
        precondition(isHeldByCaller, "a region manager was touched out of turn")
    }

    func isIsolatingCurrentContext() -> Bool? { isHeldByCaller }

    private func waitForTurn(_ ticket: UInt64?) {
        var ticket = ticket
        state.wait { state -> Void? in
            let mine = ticket ?? state.takeTicket()
            ticket = mine
            guard state.turn == mine else { return nil }
            state.holder = pthread_self()
            return ()
        }
    }

    private func endTurn() {
        let (isAwaited, hasForsakenJobs) = state.withLock { state in
            state.turn += 1
            state.holder = nil
            let hasForsakenJobs = !state.hasThread && !state.jobs.isEmpty
            if hasForsakenJobs { state.hasThread = true }
            return (state.turn < state.nextTicket, hasForsakenJobs)
        }
        // Otherwise only the thread that has no job would wake, in vain.
        if isAwaited { state.change { _ in } }
        if hasForsakenJobs { runJobs(waitingFor: .zero) }
    }

    /// Runs jobs until there has been none for some time.
    private func runJobs(waitingFor idleTime: Duration) {
        while let job = nextJob(until: .now.advanced(by: idleTime)) {
            waitForTurn(job.ticket)
            job.run()
            endTurn()
        }
    }

    private func nextJob(until deadline: MonotonicTime) -> (ticket: UInt64, run: @Sendable () -> Void)? {
        let job = state.wait(until: deadline) { state in state.jobs.isEmpty ? nil : state.jobs.removeFirst() }
        if let job { return job }
        return state.withLock { state in
            // One may have come since.
            guard state.jobs.isEmpty else { return state.jobs.removeFirst() }
            state.hasThread = false
            return nil
        }
    }
}
