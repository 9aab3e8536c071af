import Glibc

/// A program run as a child of the tests, with pipes or a terminal to talk to it and a deadline by which it is killed.
///
/// Use it from one thread at a time. Whatever happens, the child is gone with the object.
public final class ChildProcess {
    /// What its standard input is.
    public enum Input {
        case nothing
        case closed
        /// These bytes, and then the end.
        case bytes([UInt8])
        /// A pipe that `send(_:)` writes to.
        case open
    }

    /// What its standard output or standard error is.
    public enum Output {
        case collected
        case closed
        case file(String)
        /// A pipe whose reader has gone away.
        case withoutReader
    }

    public let identifier: pid_t
    private let deadline: ContinuousClock.Instant
    private let command: String
    private var input: Descriptor?
    private var pending: [UInt8] = []
    private var endsInput = false
    private var outputEnd: Descriptor?
    private var errorEnd: Descriptor?
    private var output: [UInt8] = []
    private var errors: [UInt8] = []
    /// Up to where the output was searched by `waitForOutput(_:)`.
    private var searched = 0
    private var ending: FinishedRun.Ending?

    /// How long any child may take: only hangs are to be caught by it.
    public static let defaultTimeout = Duration.seconds(60)

    public init(
        _ program: String, _ arguments: [String], input: Input = .nothing, output: Output = .collected,
        errors: Output = .collected, timeout: Duration = defaultTimeout
    ) throws(ChildError) {
        _ = Self.ignoreBrokenPipes
        command = ([program] + arguments).joined(separator: " ")
        deadline = .now + timeout
        var files = SpawnFiles()
        let inputEnd: Descriptor?
        switch input {
        case .nothing, .closed: inputEnd = nil
        case .bytes, .open: inputEnd = try files.addPipe(writtenBy: 0)
        }
        if case .nothing = input { files.open("/dev/null", O_RDONLY, as: 0) }
        if case .closed = input { files.close(0) }
        let outputEnd = try files.add(output, as: 1)
        let errorEnd = try files.add(errors, as: 2)
        identifier = try files.spawn(program, arguments, inNewSession: false)
        self.input = inputEnd
        self.outputEnd = outputEnd
        self.errorEnd = errorEnd
        if case .bytes(let bytes) = input {
            pending = bytes
            endsInput = true
        }
        for end in [inputEnd, outputEnd, errorEnd] { end?.stopBlocking() }
        writePending()
    }

    /// Runs the program as the leader of the terminal's session, with all three streams on the terminal.
    public init(
        _ program: String, _ arguments: [String], on terminal: PseudoTerminal, timeout: Duration = defaultTimeout
    ) throws(ChildError) {
        _ = Self.ignoreBrokenPipes
        command = ([program] + arguments).joined(separator: " ")
        deadline = .now + timeout
        var files = SpawnFiles()
        files.open(terminal.path, O_RDWR, as: 0)
        files.duplicate(0, as: 1)
        files.duplicate(0, as: 2)
        identifier = try files.spawn(program, arguments, inNewSession: true)
        input = terminal.controller
        outputEnd = terminal.controller
        terminal.controller.stopBlocking()
    }

    deinit {
        guard ending == nil else { return }
        kill(identifier, SIGKILL)
        var status: Int32 = 0
        waitpid(identifier, &status, 0)
    }

    private static let ignoreBrokenPipes: Void = {
        signal(SIGPIPE, SIG_IGN)
    }()

    // MARK: Talking to it

    /// Writes bytes to its input: as many as there is room for now, the rest while something else is waited for.
    public func send(_ bytes: some Sequence<UInt8>) {
        pending += bytes
        writePending()
    }

    public func send(signal: Int32) {
        if ending == nil { kill(identifier, signal) }
    }

    /// Waits until this text has come on its output, after that of the last call.
    public func waitForOutput(_ text: String) throws(ChildError) {
        let wanted = Array(text.utf8)
        var isFound = false
        try carry { child in
            guard let found = child.output[child.searched...].firstRange(of: wanted) else { return false }
            child.searched = found.upperBound
            isFound = true
            return true
        }
        guard isFound else {
            throw ChildError("\(command) ended its output without \(text.debugDescription): \(collected)")
        }
    }

    /// What has come on its output.
    public var outputSoFar: String { String(decoding: output, as: UTF8.self) }

    /// Goes away as the reader of its output.
    public func closeOutput() {
        outputEnd = nil
    }

    /// Stops reading its output and waits until the pipe, made as small as can be, is full.
    public func waitUntilOutputIsFull() throws(ChildError) {
        guard let outputEnd else { throw ChildError("\(command) has no output that is read") }
        let smallest: Int32 = 4096
        let setPipeSize: Int32 = 1031
        // Where it holds more than that already it stays as it is.
        _ = fcntl(outputEnd.number, setPipeSize, smallest)
        let capacity = fcntl(outputEnd.number, setPipeSize + 1)
        var count: Int32 = 0
        while ioctl(outputEnd.number, UInt(FIONREAD), &count) == 0, count < capacity { try pause() }
    }

    // MARK: Its end

    /// Waits for the end of its outputs and of itself.
    public func finish() throws(ChildError) -> FinishedRun {
        try carry { _ in false }
        let ending = try waitForExit()
        return FinishedRun(ending, output: output, errors: String(decoding: errors, as: UTF8.self))
    }

    /// Waits for its end without reading what it writes.
    public func waitForExit() throws(ChildError) -> FinishedRun.Ending {
        while true {
            if let ending { return ending }
            var status: Int32 = 0
            let result = waitpid(identifier, &status, WNOHANG)
            guard result >= 0 || errno == EINTR else { throw ChildError("waitpid", errno) }
            if result == identifier {
                ending = FinishedRun.Ending(waitStatus: status)
            } else {
                try pause()
            }
        }
    }

    /// Sleeps for a moment.
    private func pause() throws(ChildError) {
        guard .now < deadline else { throw overdue() }
        usleep(1000)
    }

    private func overdue() -> ChildError {
        kill(identifier, SIGKILL)
        var status: Int32 = 0
        waitpid(identifier, &status, 0)
        ending = FinishedRun.Ending(waitStatus: status)
        return ChildError("\(command) took too long and was killed: \(collected)")
    }

    private var collected: String {
        let text = String(decoding: output.prefix(2000), as: UTF8.self)
        return "output \(text.debugDescription), errors \(String(decoding: errors, as: UTF8.self).debugDescription)"
    }

    // MARK: Carrying bytes

    /// Carries bytes in and out until `isDone`, the end of both outputs, or the deadline, which is an error.
    private func carry(until isDone: (ChildProcess) -> Bool) throws(ChildError) {
        while !isDone(self), outputEnd != nil || errorEnd != nil {
            let left = deadline - .now
            guard left > .zero else { throw overdue() }
            var polled = [
                pollfd(fd: outputEnd?.number ?? -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: errorEnd?.number ?? -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pending.isEmpty ? -1 : input?.number ?? -1, events: Int16(POLLOUT), revents: 0),
            ]
            let milliseconds = min(left / .milliseconds(1) + 1, 1000)
            guard poll(&polled, nfds_t(polled.count), Int32(milliseconds)) > 0 else { continue }
            if polled[0].revents != 0, !Self.read(outputEnd, into: &output) { outputEnd = nil }
            if polled[1].revents != 0, !Self.read(errorEnd, into: &errors) { errorEnd = nil }
            if polled[2].revents != 0 { writePending() }
        }
    }

    /// - Returns: whether there may be more.
    private static func read(_ descriptor: Descriptor?, into bytes: inout [UInt8]) -> Bool {
        guard let descriptor else { return false }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = Glibc.read(descriptor.number, &buffer, buffer.count)
        if count > 0 { bytes += buffer[..<count] }
        return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))
    }

    private func writePending() {
        guard let input else { return }
        if !pending.isEmpty {
            let count = write(input.number, pending, pending.count)
            if count >= 0 {
                pending.removeFirst(count)
            } else if errno != EAGAIN, errno != EINTR {
                // It has closed its input, or ended.
                pending = []
            }
        }
        if pending.isEmpty, endsInput { self.input = nil }
    }
}
