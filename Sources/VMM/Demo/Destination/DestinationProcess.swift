import Glibc
import SystemPackage
import VMHost

/// The process that the guest moves to: `vmm receive`, watched by threads of this one.
///
/// Any thread may use it. `finish()` has to be called, and leaves nothing of it behind.
final class DestinationProcess: Sendable {
    /// How it ended.
    enum Ending: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    private struct State {
        var ending: Ending?
        var errors: [UInt8] = []
        var threads: [pthread_t] = []
    }

    private let identifier: pid_t
    private let input: FileDescriptor
    private let state = Monitor(State())

    /// For its end in order, once it was asked for.
    private static let patience = Duration.seconds(3)
    private static let longestMessage = 4096
    private static let endOfTransmission: UInt8 = 0x04

    /// Starts it.
    /// - Parameter transcript: gets what the guest prints there.
    init(arguments: [String], _ transcript: GuestTranscript) throws(Failure) {
        let program = try ProgramCopy(arguments: arguments)
        identifier = program.identifier
        input = program.input
        let (output, errors) = (program.output, program.errors)
        do throws(Errno) {
            try start { Self.read(output) { transcript.write($0, at: .destination) } }
            try start { [self] in Self.read(errors) { note($0) } }
            try start { [self] in reap() }
        } catch {
            // The one that reaps it is the last to start.
            kill(identifier, SIGKILL)
            reap()
            finish()
            throw Failure(.hostFailure, "cannot start a thread for the destination's process: \(error)")
        }
    }

    private func start(_ body: @escaping @Sendable () -> Void) throws(Errno) {
        let thread = try HostThread.start(stackSize: 256 << 10, body)
        state.withLock { $0.threads.append(thread) }
    }

    /// What it said on standard error, in a line.
    var message: String {
        let text = state.withLock { String(decoding: $0.errors, as: UTF8.self) }
        return text.split(separator: "\n").joined(separator: "; ")
    }

    /// Has the guest end in order.
    func endGuest() {
        var byte = Self.endOfTransmission
        _ = Glibc.write(input.rawValue, &byte, 1)
    }

    /// - Returns: nil where it still runs then.
    func waitForEnding(until deadline: MonotonicTime) -> Ending? {
        state.wait(until: deadline) { $0.ending }
    }

    /// Asks it to end.
    func terminate() {
        send(SIGTERM)
    }

    /// Ends it, if it has not ended, and waits until nothing of it is left.
    func finish() {
        terminate()
        if waitForEnding(until: .now.advanced(by: Self.patience)) == nil { send(SIGKILL) }
        let threads = state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { pthread_join(thread, nil) }
        try? input.close()
    }

    private func send(_ signal: Int32) {
        // Its number is its own until it is reaped, which takes the same lock.
        state.withLock { if $0.ending == nil { kill(identifier, signal) } }
    }

    private func reap() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        state.change { state in
            var status: Int32 = 0
            waitpid(identifier, &status, 0)
            let signal = status & 0x7f
            state.ending = signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
        }
    }

    private func note(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { $0.errors += bytes.prefix(max(0, Self.longestMessage - $0.errors.count)) }
    }

    /// Reads to the end, and closes.
    private static func read(_ descriptor: FileDescriptor, _ body: (UnsafeRawBufferPointer) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { (try? descriptor.read(into: $0)) ?? 0 }
            guard count > 0 else { break }
            buffer.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        try? descriptor.close()
    }
}
