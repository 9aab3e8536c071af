import Glibc
import SystemPackage
import VMHost

/// The executor of a region manager: one thing after another, in the order in which they are asked for.
///
/// Jobs run on a thread of its own, since a change may have to wait for devices and vCPUs, which the cooperative pool of
/// Swift's concurrency is not there for. The thread is started with the first job, and ends when there has been none for
/// a while. Other threads take their turn where they are.
///
/// Where the host has no room for a thread, jobs that somebody awaits are run by the thread that enqueues them. The others
/// may come from any thread, also one that a job would wait for, and are left to whoever takes a turn next.
final class RegionQueue: SerialExecutor {
    typealias Body = @Sendable () -> Void

    private struct Job {
        let ticket: UInt64
        let run: Body
    }

    private struct State {
        /// Of the next that asks.
        var nextTicket: UInt64 = 0
        /// Whose turn it is.
        var turn: UInt64 = 0
        /// The thread whose turn it is.
        var holder: pthread_t?
        /// In the order of their tickets.
        var jobs: [Job] = []
        /// What becomes a job at some time.
        var later: (time: MonotonicTime, run: Body)?
        /// Whether somebody sees to the jobs.
        var hasThread = false

        mutating func takeTicket() -> UInt64 {
            defer { nextTicket += 1 }
            return nextTicket
        }

        /// Whether jobs with tickets below a limit are seen to by nobody.
        func hasForsakenJobs(below limit: UInt64) -> Bool {
            guard !hasThread, let job = jobs.first else { return false }
            return job.ticket < limit
        }

        /// The next job, if its ticket is below a limit.
        mutating func takeJob(below limit: UInt64) -> Job? {
            if let later, later.time <= .now {
                self.later = nil
                jobs.append(Job(ticket: takeTicket(), run: later.run))
            }
            guard let job = jobs.first, job.ticket < limit else { return nil }
            return jobs.removeFirst()
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

    // MARK: Jobs

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let ticket = append { [self] in job.runSynchronously(on: asUnownedSerialExecutor()) }
        // Somebody awaits it. Who has the turn does it at its end.
        if !startThread(), !isHeldByCaller { runForsakenJobs(below: ticket + 1) }
    }

    /// Runs `body` when it is its turn; does not wait for that, nor for anything else.
    func enqueue(_ body: @escaping Body) {
        _ = append(body)
        _ = startThread()
    }

    /// Runs `body` when some time has passed, and it is its turn; it takes the place of what was to be run later before.
    func runLater(after delay: Duration, _ body: @escaping Body) {
        state.change { $0.later = (.now.advanced(by: delay), body) }
        _ = startThread()
    }

    /// Forgets what was to be run later.
    func cancelLater() {
        state.change { $0.later = nil }
    }

    private func append(_ body: @escaping Body) -> UInt64 {
        state.change { state in
            let ticket = state.takeTicket()
            state.jobs.append(Job(ticket: ticket, run: body))
            return ticket
        }
    }

    /// Starts a thread for jobs, where nobody sees to them.
    /// - Returns: false where the host has no room for it.
    private func startThread() -> Bool {
        let isNeeded = state.withLock { state in
            defer { state.hasThread = true }
            return !state.hasThread
        }
        guard isNeeded else { return true }
        do {
            pthread_detach(try HostThread.start(stackSize: stackSize) { self.runJobs(waitingFor: self.idleTime) })
            return true
        } catch {
            // Those who wait for their turn may have to see to the jobs.
            state.change { $0.hasThread = false }
            return false
        }
    }

    // MARK: Turns

    /// Runs `body` on the calling thread, once it is its turn: at once where the thread has the turn already.
    func withTurn<Result: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        guard !isHeldByCaller else { return try body() }
        waitForTurn()
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

    /// - Parameter ticket: nil for a new one.
    private func waitForTurn(_ ticket: UInt64? = nil) {
        var ticket = ticket
        while true {
            let isMine = state.wait { state -> Bool? in
                let mine = ticket ?? state.takeTicket()
                ticket = mine
                if state.turn == mine {
                    state.holder = pthread_self()
                    return true
                }
                return state.hasForsakenJobs(below: mine) ? false : nil
            }
            if isMine { return }
            if let ticket { runForsakenJobs(below: ticket) }
        }
    }

    private func endTurn() {
        let (isAwaited, hasForsakenJobs) = state.withLock { state in
            state.turn += 1
            state.holder = nil
            return (state.turn < state.nextTicket, state.hasForsakenJobs(below: .max))
        }
        // Otherwise only the thread that has no job would wake, in vain.
        if isAwaited { state.change { _ in } }
        if hasForsakenJobs, !startThread() { runForsakenJobs(below: .max) }
    }

    // MARK: Running jobs

    /// Runs jobs that nobody sees to, those with tickets below a limit.
    private func runForsakenJobs(below limit: UInt64) {
        let isNeeded = state.withLock { state in
            guard state.hasForsakenJobs(below: limit) else { return false }
            state.hasThread = true
            return true
        }
        if isNeeded { runJobs(below: limit) }
    }

    /// Runs jobs until there has been none for some time.
    /// - Parameters:
    ///   - limit: below which tickets are.
    ///   - idleTime: nil for a thread that has other things to do.
    private func runJobs(below limit: UInt64 = .max, waitingFor idleTime: Duration? = nil) {
        while let job = nextJob(below: limit, waitingFor: idleTime) {
            waitForTurn(job.ticket)
            job.run()
            endTurn()
        }
    }

    /// - Returns: nil where there is none; nobody sees to jobs then.
    private func nextJob(below limit: UInt64, waitingFor idleTime: Duration?) -> Job? {
        let idleEnd = MonotonicTime.now.advanced(by: idleTime ?? .zero)
        while true {
            let laterTime = idleTime == nil ? nil : state.withLock { $0.later?.time }
            let job = state.wait(until: laterTime ?? idleEnd) { state -> Job?? in
                if let job = state.takeJob(below: limit) { return job }
                // Another time to wait for.
                return idleTime != nil && state.later?.time != laterTime ? .some(nil) : nil
            }
            if let found = job ?? nil { return found }
            let hasEnded = state.change { state in
                guard state.jobs.first.map({ $0.ticket >= limit }) ?? true else { return false }
                guard idleTime == nil || state.later == nil && idleEnd <= .now else { return false }
                state.hasThread = false
                return true
            }
            if hasEnded { return nil }
        }
    }
}
