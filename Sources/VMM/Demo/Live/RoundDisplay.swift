import Glibc
import SystemPackage
import VMHost
import VMMigration

/// Shows the rounds of a migration on standard output while it goes on: a line for each that is over, and at a terminal one
/// that lives for the present.
final class RoundDisplay: Sendable {
    private struct State {
        var hasEnded = false
        var shownRounds = 0
        var failure: Failure?
    }

    private let progress: @Sendable () -> MigrationProgress
    /// Of the terminal; nil where there is none.
    private let width = TerminalWidth.current
    private let state = Monitor(State())
    private let thread = Monitor<pthread_t?>(nil)

    private static let interval = Duration.milliseconds(50)

    init(_ progress: @escaping @Sendable () -> MigrationProgress) throws(Failure) {
        self.progress = progress
        for line in RoundTable.header { try CommandOutput.print(line) }
        do throws(Errno) {
            let started = try HostThread.start(stackSize: 256 << 10) { [self] in run() }
            thread.withLock { $0 = started }
        } catch {
            throw Failure(.hostFailure, "cannot start a thread to show the migration: \(error)")
        }
    }

    /// Shows what has not been shown. Nothing comes afterwards.
    /// - Throws: where something could not be shown.
    func end() throws(Failure) {
        state.change { $0.hasEnded = true }
        let started = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let started { pthread_join(started, nil) }
        show(isLast: true)
        if let failure = state.withLock(\.failure) { throw failure }
    }

    private func run() {
        while state.wait(until: .now.advanced(by: Self.interval), { $0.hasEnded ? true : nil }) == nil {
            show(isLast: false)
        }
    }

    private func show(isLast: Bool) {
        let progress = progress()
        let shown = state.withLock(\.shownRounds)
        do throws(Failure) {
            for round in progress.rounds.dropFirst(shown) {
                try CommandOutput.print((width == nil ? "" : "\r\u{1b}[K") + RoundTable.line(round))
            }
            state.withLock { $0.shownRounds = progress.rounds.count }
            guard let width else { return }
            let line = isLast ? "" : RoundTable.progressLine(progress, width: width).prefix(max(1, width - 1))
            try CommandOutput.put("\r\u{1b}[K" + line)
        } catch {
            state.withLock { if $0.failure == nil { $0.failure = error } }
        }
    }
}
