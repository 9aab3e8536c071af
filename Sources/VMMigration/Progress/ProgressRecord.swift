import VMAddressSpace
import VMHost

/// The progress of a migration, written by its thread and read by any.
final class ProgressRecord: Sendable {
    struct State {
        var progress = MigrationProgress()
        var began = MonotonicTime.now
        /// Pages of the round under way.
        var roundPages: UInt64 = 0
        var roundBegan = PageCounts()
        var isHandedOver = false
        /// Whether the destination is asked what has become of the guest.
        var isAsking = false
    }

    let state = Monitor(State())
    private let counters: TransferCounters

    init(_ counters: TransferCounters) {
        self.counters = counters
    }

    var progress: MigrationProgress {
        let counts = counters.value
        return state.withLock { state in
            var progress = state.progress
            progress.transferred = counts.bytes
            progress.normal = counts.data
            progress.duplicate = counts.zero
            if progress.status.isUnderWay {
                progress.totalTime = .now - state.began
                let done = counts - state.roundBegan
                progress.remaining =
                    (state.roundPages - min(state.roundPages, done.data &+ done.zero)) << PageSize.size4K.shift
            }
            return progress
        }
    }

    func begin() {
        state.withLock { state in
            state.began = .now
            state.progress.status = state.progress.status == .cancelling ? .cancelling : .setup
        }
    }

    /// - Parameter total: pages of memory.
    func enter(_ status: MigrationStatus, total: UInt64? = nil) {
        state.withLock { state in
            if let total {
                state.progress.total = total << PageSize.size4K.shift
                state.progress.setupTime = .now - state.began
            }
            if state.progress.status != .cancelling { state.progress.status = status }
        }
    }

    func begin(_ round: MigrationRound) {
        let counts = counters.value
        state.withLock { state in
            state.roundPages = round.dirtyPages
            state.roundBegan = counts
            if round.number > 0 { state.progress.dirtySyncCount += 1 }
        }
    }

    func end(_ round: MigrationRound, bandwidth: Double?) {
        state.withLock { state in
            state.progress.rounds.append(round)
            state.progress.expectedDowntime = round.expectedDowntime ?? state.progress.expectedDowntime
            state.progress.dirtyPagesRate = round.dirtyPagesRate
            if let bandwidth { state.progress.bandwidth = bandwidth }
        }
    }

    func throttle(_ percent: Int) {
        state.withLock { $0.progress.cpuThrottlePercentage = percent }
    }

    /// - Returns: whether there is still something to cancel.
    func beginCancelling() -> Bool {
        state.withLock { state in
            // While the destination is asked for the guest, the asking can be given up. In post-copy there is something to give
            // up only while the link is lost.
            let isLinkLost = [.postcopyPaused, .postcopyRecover].contains(state.progress.status)
            guard !state.isHandedOver || isLinkLost || state.isAsking,
                state.progress.status.isUnderWay || state.progress.status == .none
            else {
                return false
            }
            state.progress.status = .cancelling
            return true
        }
    }

    /// From here on it cannot be cancelled.
    /// - Throws: `cancelled`, where it was before.
    func enterHandOver() throws(MigrationError) {
        try state.withLock { (state) throws(MigrationError) in
            if state.progress.status == .cancelling { throw .cancelled }
            state.isHandedOver = true
            state.progress.status = .preSwitchover
        }
    }

    /// The link was lost, and the destination is asked whether the guest runs there.
    func beginAsking(_ error: MigrationError) {
        state.withLock { state in
            state.isAsking = true
            state.progress.failure = "\(error); asking the destination whether the guest runs there"
        }
    }

    func endAsking() {
        state.withLock { state in
            state.isAsking = false
            state.progress.failure = nil
        }
    }

    func complete(downtime: Duration, stages: [DowntimeStage], bytes: UInt64) {
        state.withLock { state in
            state.progress.status = .completed
            state.progress.totalTime = .now - state.began
            state.progress.downtime = downtime
            state.progress.downtimeStages = stages
            state.progress.downtimeBytes = bytes
            state.progress.remaining = 0
        }
    }

    func fail(_ error: MigrationError) {
        state.withLock { state in
            state.progress.totalTime = .now - state.began
            state.progress.failure = "\(error)"
            if case .cancelled = error {
                state.progress.status = .cancelled
            } else {
                state.progress.status = .failed
            }
        }
    }
}

extension MigrationStatus {
    /// Whether the guest runs at the destination, which lacks pages.
    public var isPostCopy: Bool {
        switch self {
        case .postcopyActive, .postcopyPaused, .postcopyRecover: true
        default: false
        }
    }

    /// Whether something is being done.
    public var isUnderWay: Bool {
        switch self {
        case .setup, .active, .device, .preSwitchover, .postcopyActive, .postcopyPaused, .postcopyRecover, .cancelling:
            true
        case .none, .completed, .failed, .cancelled: false
        }
    }
}
