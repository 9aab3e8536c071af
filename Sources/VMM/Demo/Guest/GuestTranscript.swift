import VMDevices
import VMHost

/// The serial output of a guest in two processes, one after the other. Any thread may use it.
final class GuestTranscript: ConsoleOutput {
    private let state = Monitor(GuestChecks())

    var checks: GuestChecks { state.withLock(\.self) }

    /// Of the source, which is this process.
    func write(_ bytes: UnsafeRawBufferPointer) {
        write(bytes, at: .source)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at side: GuestChecks.Side) {
        state.withLock { $0.add(bytes, at: side) }
    }
}
