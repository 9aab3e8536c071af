import Synchronization
import VMHost

/// What the vCPU threads and those who control them agree on: whether to run, to pause or to end.
///
/// A vCPU thread reads `needsAttention` after every exit, and only when it is set takes the lock to see why
/// (`checkpoint`). A controller changes the state first and kicks the threads out of the guest afterwards, so that no
/// request is missed.
final class RunControl: Sendable {
    struct State {
        /// When the vCPU threads were started.
        var started: MonotonicTime?
        /// How many controllers want the vCPUs to stand still; they run at zero. Apart, so that neither can let go of what the
        /// other holds.
        var pauses = Pauses()
        /// Since when; nil while they run.
        var pausedSince: MonotonicTime?
        /// How long they did before.
        var pausedTime: Duration = .zero
        /// Whether the halt watch wants so too.
        var isLookedAt = false
        /// The vCPU threads that stand still now.
        var parked = 0
        /// Those of them whose vCPU is awake, and those that an interrupt can wake.
        var awake = 0
        var light = 0
        /// The vCPU threads that have been started and have not ended.
        var alive = 0
        /// How the run ended: the first to say so is right. No vCPU enters the guest any more once it is set.
        var ending: Ending?

        var standsStill: Bool { !pauses.isEmpty || isLookedAt }

        mutating func count(_ sleep: Sleep, _ change: Int) {
            parked += change
            switch sleep {
            case .awake: awake += change
            case .light: light += change
            case .forGood: break
            }
        }
    }

    /// Who makes vCPUs stand still.
    enum Controller {
        /// Whoever has the machine.
        case user
        /// A change of its memory.
        case memory
        /// Whoever slows it down.
        case throttle
        /// Whoever copies it.
        case migration
    }

    /// How many of each do.
    struct Pauses {
        private var user = 0
        private var memory = 0
        private var throttle = 0
        private var migration = 0

        var isEmpty: Bool { user == 0 && memory == 0 && throttle == 0 && migration == 0 }
        /// Whether it is paused for longer than a moment.
        var isForLong: Bool { user > 0 || migration > 0 }

        subscript(controller: Controller) -> Int {
            get {
                switch controller {
                case .user: user
                case .memory: memory
                case .throttle: throttle
                case .migration: migration
                }
            }
            set {
                switch controller {
                case .user: user = newValue
                case .memory: memory = newValue
                case .throttle: throttle = newValue
                case .migration: migration = newValue
                }
            }
        }
    }

    /// What it takes to wake a vCPU.
    enum Sleep: Sendable {
        /// It does not sleep.
        case awake
        /// It is halted, and an interrupt wakes it.
        case light
        /// Nothing but another vCPU can wake it.
        case forGood
    }

    /// How a run ended, before the report on a crash is put together.
    enum Ending: Sendable {
        case outcome(Outcome)
        case crash(vcpu: Int, CrashReport.Cause)
    }

    private let state = Monitor(State())
    private let attention = Atomic<Bool>(false)

    /// Whether a vCPU thread has to call `checkpoint` before it enters the guest.
    var needsAttention: Bool { attention.load(ordering: .sequentiallyConsistent) }

    // MARK: For controllers

    /// Begins the run, with so many vCPU threads about to be started.
    /// - Returns: false where it had begun already.
    func begin(threads: Int) -> Bool {
        state.change { state in
            guard state.started == nil else { return false }
            state.started = .now
            state.alive = threads
            return true
        }
    }

    /// Begins the run only now, where the vCPU threads that were started have stood still since.
    func beginAgain() {
        state.change { state in
            state.started = .now
            state.pausedTime = .zero
            if state.pausedSince != nil { state.pausedSince = .now }
        }
    }

    /// Ends the run, if it has not ended already.
    func end(_ ending: Ending) {
        state.change { state in
            if state.ending == nil { state.ending = ending }
            setAttention(state)
        }
    }

    func requestPause(_ controller: Controller) {
        // Wakes nobody, as nobody waits for it: vCPU threads that stand still already would only lie down again.
        state.withLock { state in
            if state.pauses.isEmpty { state.pausedSince = .now }
            state.pauses[controller] += 1
            setAttention(state)
        }
    }

    /// - Returns: false where no such controller had paused it.
    @discardableResult
    func resume(_ controller: Controller) -> Bool {
        let (wasPaused, isForLong) = state.withLock { state in
            guard state.pauses[controller] > 0 else { return (false, state.pauses.isForLong) }
            state.pauses[controller] -= 1
            if state.pauses.isEmpty, let since = state.pausedSince {
                state.pausedTime += .now - since
                state.pausedSince = nil
            }
            setAttention(state)
            return (true, state.pauses.isForLong)
        }
        // Whoever waits for the vCPUs to go on, or to be paused no more, has to wait on while somebody keeps them for long.
        if wasPaused, !isForLong { state.wake() }
        return wasPaused
    }

    /// Makes the vCPUs stand still, or lets them go on, for the halt watch: beside what controllers want.
    func setLookedAt(_ isLookedAt: Bool) {
        state.change { state in
            state.isLookedAt = isLookedAt
            setAttention(state)
        }
    }

    private func setAttention(_ state: State) {
        attention.store(state.standsStill || state.ending != nil, ordering: .sequentiallyConsistent)
    }

    /// Whether every vCPU stands still or has ended. While somebody wants that, it stays so.
    var hasStandstill: Bool { state.withLock { $0.parked == $0.alive } }

    /// Waits until no vCPU is in the guest, where that is asked for, or the run is over.
    /// - Returns: false where they are to run.
    func waitUntilQuiescent() -> Bool {
        state.wait { state in
            guard state.started != nil, state.alive > 0 else { return true }
            guard state.pauses.isForLong || state.ending != nil else { return false }
            // A run can end while its vCPUs stand still: they leave then, one after another.
            return state.parked == state.alive ? true : nil
        } ?? false
    }

    /// Waits until every vCPU stands still or has ended, while somebody wants that. The end of the run alone is not enough:
    /// a thread that has not heard of it may still be in the guest.
    /// - Returns: false at the deadline.
    func waitUntilStandstill(until deadline: MonotonicTime) -> Bool {
        state.wait(until: deadline) { $0.parked == $0.alive ? true : nil } ?? false
    }

    /// Waits until every vCPU stands still, while somebody wants that, or the run ends: then nobody needs to know any more.
    /// - Returns: how deep the lightest sleeper of them sleeps; nil at the deadline.
    func waitUntilParked(until deadline: MonotonicTime) -> Sleep? {
        state.wait(until: deadline) { state in
            guard state.parked == state.alive || state.ending != nil else { return nil }
            guard state.alive > 0, state.ending == nil, state.awake == 0 else { return .awake }
            return state.light == 0 ? .forGood : .light
        }
    }

    /// Waits for the run to end; nil at the deadline.
    func waitForEnding(until deadline: MonotonicTime?) -> Ending? {
        state.wait(until: deadline) { $0.ending }
    }

    /// Waits until no vCPU thread is in the guest or will enter it again.
    /// - Returns: false at the deadline.
    func waitUntilAllEnded(until deadline: MonotonicTime) -> Bool {
        state.wait(until: deadline) { $0.alive == 0 ? true : nil } ?? false
    }

    var isPaused: Bool { state.withLock { !$0.pauses.isEmpty } }
    /// How long controllers have kept the vCPUs out of the guest so far, the time included that it took to get them out.
    var pausedTime: Duration {
        state.withLock { state in state.pausedTime + (state.pausedSince.map { .now - $0 } ?? .zero) }
    }
    var hasEnded: Bool { state.withLock { $0.ending != nil } }
    var started: MonotonicTime? { state.withLock { $0.started } }

    // MARK: For vCPU threads

    /// Stands still as long as somebody wants it to.
    /// - Parameter sleep: says what it takes to wake this thread's vCPU.
    /// - Returns: whether to go on running the guest.
    func checkpoint(_ sleep: () -> Sleep) -> Bool {
        guard !hasEnded else { return false }
        let sleep = sleep()
        let arrived = state.change { state in
            guard state.ending == nil, state.standsStill else { return false }
            state.count(sleep, 1)
            return true
        }
        guard arrived else { return !hasEnded }
        // It leaves under the same lock that it sees the end of the pause with: a pause that begins then waits for it.
        return state.wait { state in
            guard state.ending != nil || !state.standsStill else { return nil }
            state.count(sleep, -1)
            return state.ending == nil
        } ?? false
    }

    /// Says that a vCPU thread has left the guest for the last time.
    func threadEnded() {
        state.change { $0.alive -= 1 }
    }
}
