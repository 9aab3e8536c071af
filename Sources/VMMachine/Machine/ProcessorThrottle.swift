import Glibc
import Synchronization
import SystemPackage
import VMHost

/// Slows a machine's vCPUs down by keeping them out of the guest for a share of the time, as QEMU's CPU throttling does.
///
/// Threads: any. It ends with `end()`, or with the last reference.
public final class ProcessorThrottle: Sendable {
    /// How long the guest runs at a time.
    private static let slice = Duration.milliseconds(10)

    private struct State {
        var percent = 0
        var hasEnded = false
    }

    private final class Shared: Sendable {
        let state = Monitor(State())
    }

    private let shared = Shared()
    private let thread: Mutex<pthread_t?>

    /// - Throws: `MachineError.thread`.
    public init(_ machine: Machine) throws(MachineError) {
        do throws(Errno) {
            let started = try HostThread.start(stackSize: 64 << 10) { [shared, gate = machine.gate] in
                Self.run(shared, gate)
            }
            thread = Mutex(started)
        } catch {
            throw .thread(error.rawValue)
        }
    }

    deinit {
        end()
    }

    /// Of its time, the guest loses so much, in per cent: 0 to 99.
    public var percent: Int {
        get { shared.state.withLock(\.percent) }
        set { shared.state.change { $0.percent = min(max(newValue, 0), 99) } }
    }

    /// Lets the guest run freely; when it returns, nothing of this keeps it out.
    public func end() {
        shared.state.change { $0.hasEnded = true }
        let started = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let started { pthread_join(started, nil) }
    }

    private static func run(_ shared: Shared, _ gate: PauseGate) {
        while true {
            // Nil once it has ended.
            let percent: Int? = shared.state.wait { state in
                if state.hasEnded { return .some(nil) }
                return state.percent > 0 ? .some(state.percent) : nil
            }
            guard let percent else { return }
            gate.pause(.throttle)
            _ = shared.state.wait(until: .now.advanced(by: slice * percent / (100 - percent))) {
                $0.hasEnded ? true : nil
            }
            gate.resume(.throttle)
            _ = shared.state.wait(until: .now.advanced(by: slice)) { $0.hasEnded ? true : nil }
        }
    }
}
