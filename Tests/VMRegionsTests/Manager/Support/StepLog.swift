import VMHost

/// What a manager does in partitions, on the host and to the memory map, in one order; and which of it fails.
///
/// Steps are what can fail: calls of partitions, but for `end()`, and changes on the host.
final class StepLog: Sendable {
    private struct State {
        var stepCount = 0
        var failing: @Sendable (Int) -> Bool = { _ in false }
        var events: [String] = []
    }
    private let state = Monitor(State())

    /// Forgets what was. From now on, the steps fail that have these numbers.
    func start(failing: Set<Int> = []) {
        start { failing.contains($0) }
    }

    func start(failing: @escaping @Sendable (Int) -> Bool) {
        state.withLock { $0 = State(failing: failing) }
    }

    var stepCount: Int { state.withLock { $0.stepCount } }
    var events: [String] { state.withLock { $0.events } }

    /// - Returns: whether the step is to fail.
    func step(_ event: String) -> Bool {
        state.withLock { state in
            let fails = state.failing(state.stepCount)
            state.stepCount += 1
            state.events.append(fails ? event + " fails" : event)
            return fails
        }
    }

    func note(_ event: String) {
        state.withLock { $0.events.append(event) }
    }
}
