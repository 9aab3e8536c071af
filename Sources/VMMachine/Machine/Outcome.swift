/// How a run of a machine ended.
public enum Outcome: Sendable {
    /// Every CPU halted with interrupts off, or waits for a start-up message that nobody is left to send.
    case halted
    /// The guest switched the machine off.
    case poweredOff
    /// The guest asked for a reset.
    case reset
    /// The guest wrote this value to the debug exit port.
    case debugExit(value: UInt32)
    /// The guest cannot go on.
    case crashed(CrashReport)
    /// The time it was given ran out.
    case timedOut
    /// `Machine.stop()` was called.
    case stopped
    /// Another machine goes on with the guest (`Machine.handOver()`).
    case handedOver
    /// A vCPU could not go on for a reason that is not the guest's.
    case failed(MachineError)
}

extension Outcome {
    /// Whether it is `stopped`.
    public var isStopped: Bool {
        if case .stopped = self { true } else { false }
    }
}

extension Outcome: CustomStringConvertible {
    public var description: String {
        switch self {
        case .halted: "halted"
        case .poweredOff: "powered off"
        case .reset: "reset"
        case .debugExit(let value): "debug exit with \(value)"
        case .crashed(let report): "crashed: \(report.summary)"
        case .timedOut: "timed out"
        case .stopped: "stopped"
        case .handedOver: "handed over"
        case .failed(let error): "failed: \(error)"
        }
    }
}
