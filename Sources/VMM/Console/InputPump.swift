import Glibc
import VMMachine

/// Standard input on its way to the guest: what was read and did not fit yet waits here, and no more is read meanwhile.
struct InputPump {
    enum Step {
        case goOn
        /// The user has typed the keys that quit.
        case quit
    }

    private var filter: EscapeFilter?
    private var waiting: [UInt8] = []
    private var hasEnded = false

    init(isTerminal: Bool) {
        filter = isTerminal ? EscapeFilter() : nil
        // In the background a terminal must not be read: the process would be stopped.
        hasEnded = !isTerminal && isatty(STDIN_FILENO) == 1
    }

    /// How much that was typed waits for a guest that reads nothing; more is lost.
    private static let mostTyped = 4096

    /// At a terminal always, so that the keys that quit work with a guest that reads nothing.
    var wantsInput: Bool { !hasEnded && (waiting.isEmpty || filter != nil) }

    mutating func pump(into machine: Machine, hasInput: Bool) -> Step {
        if hasInput, wantsInput, read() == .quit { return .quit }
        guard !waiting.isEmpty else { return .goOn }
        let taken = waiting.withUnsafeBytes { machine.sendInput($0) }
        waiting.removeFirst(taken)
        return .goOn
    }

    private mutating func read() -> Step {
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
        guard count > 0 else {
            hasEnded = count == 0 || (errno != EINTR && errno != EAGAIN)
            return .goOn
        }
        guard filter != nil, let result = filter?.filter(buffer[..<count]) else {
            waiting += buffer[..<count]
            return .goOn
        }
        waiting += result.bytes.prefix(max(0, Self.mostTyped - waiting.count))
        return result.quits ? .quit : .goOn
    }
}
