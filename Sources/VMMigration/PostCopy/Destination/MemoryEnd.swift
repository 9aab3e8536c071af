import VMHost

/// How the arrival of memory ended, for whoever waits for that.
///
/// Threads: any.
final class MemoryEnd: Sendable {
    private struct State {
        var result: Result<Void, MigrationError>?
        var isAwaited = false
    }

    private let state = Monitor(State())

    /// Whether anybody waits, or has: who does has no further use for the guest once it has ended.
    var isAwaited: Bool { state.withLock(\.isAwaited) }

    func tell(_ result: Result<Void, MigrationError>) {
        state.change { if $0.result == nil { $0.result = result } }
    }

    func wait() throws(MigrationError) {
        let result = state.wait { state in
            state.isAwaited = true
            return state.result
        }
        try result.get()
    }
}
