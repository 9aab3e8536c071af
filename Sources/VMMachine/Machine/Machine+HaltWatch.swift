import VMHost

/// With in-kernel local APICs a halted CPU sleeps in the kernel, and nobody is told when the last one halts for good. So
/// the waiting thread looks, without disturbing a guest that works: only when no vCPU thread has used CPU time since the
/// last look are they made to stand still and asked.
extension Machine {
    /// How long to sleep between looks, in nanoseconds as all that follows: `Duration` divides 128 bits, at a time when a new
    /// vCPU thread may be waiting for this one's processor.
    private static let shortestInterval: UInt64 = 250_000
    private static let longestInterval: UInt64 = 10_000_000
    /// How often to ask again, at the most and in the end, while all CPUs are halted but an interrupt could wake one.
    private static let longestIdleInterval: UInt64 = 250_000_000

    func watch(until deadline: MonotonicTime?) -> RunControl.Ending {
        guard configuration.irqchip != .none else { return waitForEnding(until: deadline) }
        let started = MonotonicTime.now
        var idleInterval: UInt64?
        var lastUse = cpuTime
        while true {
            let now = MonotonicTime.now
            // A guest that runs for long is looked at less often, in proportion.
            let elapsed = now.nanoseconds - min(now.nanoseconds, started.nanoseconds)
            let interval = idleInterval ?? min(max(elapsed / 8, Self.shortestInterval), Self.longestInterval)
            // The last look is at the deadline: what has halted by then has not timed out.
            let look = min(now.advanced(byNanoseconds: interval), deadline ?? .distantFuture)
            if let ending = control.waitForEnding(until: look) { return ending }
            let use = cpuTime
            // Without CPU time all may be asleep, or may only have waited for a processor of the host's: so they are asked.
            let isAtDeadline = deadline.map { $0 <= .now } ?? false
            if use == lastUse || isAtDeadline, !control.isPaused, endIfHaltedForGood() == .light {
                idleInterval = min((idleInterval ?? Self.shortestInterval) * 2, Self.longestIdleInterval)
            } else {
                idleInterval = nil
            }
            if isAtDeadline { return waitForEnding(until: deadline) }
            lastUse = cpuTime
        }
    }

    private func waitForEnding(until deadline: MonotonicTime?) -> RunControl.Ending {
        if let ending = control.waitForEnding(until: deadline) { return ending }
        control.end(.outcome(.timedOut))
        return control.waitForEnding(until: nil) ?? .outcome(.timedOut)
    }

    /// What the vCPU threads have used together, in nanoseconds.
    private var cpuTime: UInt64 { processors.reduce(0) { $0 &+ ($1.cpuTime?.nanoseconds ?? 0) } }

    /// Asks all vCPUs, standing still, how deep they sleep; where nothing is left to wake any, ends the run.
    private func endIfHaltedForGood() -> RunControl.Sleep {
        control.setLookedAt(true)
        defer { control.setLookedAt(false) }
        gate.kick()
        let sleep = control.waitUntilParked(until: .now.advanced(by: .milliseconds(100))) ?? .awake
        if sleep == .forGood { control.end(.outcome(.halted)) }
        return sleep
    }
}
