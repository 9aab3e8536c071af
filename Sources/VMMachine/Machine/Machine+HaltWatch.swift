/// With in-kernel local APICs a halted CPU sleeps in the kernel, and nobody is told when the last one halts for good. So
/// the waiting thread looks, without disturbing a guest that works: only when no vCPU thread has used CPU time since the
/// last look are they made to stand still and asked.
extension Machine {
    private static let shortestInterval = Duration.microseconds(250)
    private static let longestInterval = Duration.milliseconds(10)
    /// How often to ask again when all CPUs were halted, but an interrupt could wake one.
    private static let idleInterval = Duration.milliseconds(250)

    func watch(until deadline: MonotonicTime?) -> RunControl.Ending {
        guard configuration.irqchip != .none else { return waitForEnding(until: deadline) }
        let started = MonotonicTime.now
        var isIdle = false
        var lastUse = cpuTimes
        while true {
            let now = MonotonicTime.now
            // A guest that runs for long is looked at less often, in proportion.
            let interval =
                isIdle ? Self.idleInterval : min(max((now - started) / 8, Self.shortestInterval), Self.longestInterval)
            let look = now.advanced(by: interval)
            if let deadline, deadline <= look { return waitForEnding(until: deadline) }
            if let ending = control.waitForEnding(until: look) { return ending }
            let use = cpuTimes
            // Without CPU time all may be asleep, or may only have waited for a processor of the host's: so they are asked.
            isIdle = use == lastUse && !control.isPaused && endIfHaltedForGood() == .light
            lastUse = cpuTimes
        }
    }

    private func waitForEnding(until deadline: MonotonicTime?) -> RunControl.Ending {
        if let ending = control.waitForEnding(until: deadline) { return ending }
        control.end(.outcome(.timedOut))
        return control.waitForEnding(until: nil) ?? .outcome(.timedOut)
    }

    private var cpuTimes: [MonotonicTime?] { processors.map(\.cpuTime) }

    /// Asks all vCPUs, standing still, how deep they sleep; where nothing is left to wake any, ends the run.
    private func endIfHaltedForGood() -> RunControl.Sleep {
        control.requestPause()
        defer { control.resume() }
        Self.kick(processors)
        let sleep = control.waitUntilParked(until: .now.advanced(by: .milliseconds(100))) ?? .awake
        if sleep == .forGood { control.end(.outcome(.halted)) }
        return sleep
    }
}
