import Glibc
import SystemPackage
import VMHost
import VMMigration

/// Tells how far a migration is, on standard error, while it goes on: a line that is written over, or a JSON object a line.
final class MigrationTicker: Sendable {
    enum Style {
        /// A line that lives, where standard error is a terminal; else only the last one.
        case line
        case json
    }

    private struct State {
        var hasEnded = false
    }

    private let style: Style
    private let isLive: Bool
    private let progress: @Sendable () -> MigrationProgress
    private let state = Monitor(State())
    private let thread = Monitor<pthread_t?>(nil)

    private static let interval = Duration.milliseconds(200)

    /// Nil where the host has no room for its thread; the migration goes on without.
    init?(_ style: Style, _ progress: @escaping @Sendable () -> MigrationProgress) {
        self.style = style
        self.progress = progress
        isLive = isatty(STDERR_FILENO) == 1
        do throws(Errno) {
            let started = try HostThread.start(stackSize: 256 << 10) { [self] in run() }
            thread.withLock { $0 = started }
        } catch {
            return nil
        }
    }

    /// Tells how it ended. Nothing comes afterwards.
    func end() {
        state.change { $0.hasEnded = true }
        let started = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let started { pthread_join(started, nil) }
        tell(isLast: true)
    }

    private func run() {
        while state.wait(until: .now.advanced(by: Self.interval), { $0.hasEnded ? true : nil }) == nil {
            tell(isLast: false)
        }
    }

    private func tell(isLast: Bool) {
        let progress = progress()
        switch style {
        case .json:
            if let text = try? JSONText.line(MigrationReport(progress)) { StandardError.write(text) }
        case .line:
            let line = MigrationLine(progress).text
            if isLive {
                StandardError.writeOver(line, isLast: isLast)
            } else if isLast {
                StandardError.write("vmm: \(line)")
            }
        }
    }
}
