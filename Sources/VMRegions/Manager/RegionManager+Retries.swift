/// Doing later, without being asked, what could not be done: taking back a change that failed, which may keep the guest's
/// processors out, and removing regions whose handles are gone.
extension RegionManager {
    /// When it is tried again.
    struct Retries {
        /// How long after the first failure; for tests.
        var firstDelay = Duration.milliseconds(1)
        /// The longest time between two attempts: each is twice the one before.
        static let longestDelay = Duration.seconds(1)
        fileprivate(set) var isPending = false
        /// Before the last attempt; nil where there has been none.
        fileprivate var lastDelay: Duration?

        fileprivate mutating func nextDelay() -> Duration {
            let delay = lastDelay.map { min($0 * 2, max(Self.longestDelay, firstDelay)) } ?? firstDelay
            lastDelay = delay
            return delay
        }
    }

    /// Does what has been left over, or leaves it for later again.
    func settle() {
        if (try? finishUnwinding()) != nil { removeOrphans() }
        if isUnfinished || hasOrphans && holdCount == 0 { retryLater() } else { retries.lastDelay = nil }
    }

    /// Has what is left over tried again after some time, unless that is to happen already.
    func retryLater() {
        guard !retries.isPending else { return }
        retries.isPending = true
        // Not kept: a manager that goes takes all of it along.
        queue.runLater(after: retries.nextDelay()) { [weak self] in self?.assumeIsolated { $0.retry() } }
    }

    private func retry() {
        retries.isPending = false
        settle()
    }
}
