import VMAddressSpace
import VMHost

/// What post-copy has to tell.
extension ProgressRecord {
    /// Pages follow the guest.
    func beginPostCopy(pages: UInt64, downtime: Duration, stages: [DowntimeStage], bytes: UInt64) {
        state.withLock { state in
            state.progress.downtime = downtime
            state.progress.downtimeStages = stages
            state.progress.downtimeBytes = bytes
        }
        beginPostCopy(pages: pages)
    }

    /// So many pages are to come, now that both sides know which.
    func beginPostCopy(pages: UInt64) {
        var round = MigrationRound()
        round.dirtyPages = pages
        begin(round)
        enter(.postcopyActive)
    }

    func add(latency: Duration) {
        state.withLock { $0.progress.requests.add(latency) }
    }

    /// The link is lost.
    /// - Parameter attempt: why there is no other yet; nil where nobody has tried.
    func pausePostCopy(_ error: MigrationError, attempt: MigrationError? = nil) {
        state.withLock { state in
            if attempt == nil { state.progress.pauses += 1 }
            state.progress.failure = "\(error)" + (attempt.map { "; connecting again: \($0)" } ?? "")
            if state.progress.status != .cancelling { state.progress.status = .postcopyPaused }
        }
    }

    func completePostCopy() {
        state.withLock { state in
            state.progress.status = .completed
            state.progress.totalTime = .now - state.began
            state.progress.remaining = 0
            state.progress.failure = nil
        }
    }
}
