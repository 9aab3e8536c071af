import Glibc
import VMHost
import VMMachine

/// A run that is looked at again and again, at even intervals, until the guest ends or a time is over.
struct SampledRun {
    let guest: GuestRun
    let interval: Duration
    /// Nil for as long as the guest runs.
    let limit: Duration?

    /// Starts the machine, and calls `sample` after each interval and at the end: on the calling thread, while the guest runs.
    /// Where it throws, the guest is stopped.
    /// - Parameter sample: gets the time since the start.
    /// - Returns: how the guest ended; nil where the time was over.
    func run(
        _ sample: (Duration) throws(Failure) -> Void
    ) throws(Failure) -> Outcome? {
        let ended = EndedRun()
        var failure: Failure?
        let isOver = try guest.run { () throws(MachineError) in
            try guest.machine.start()
            let waiter = try ended.wait(for: guest.machine)
            defer { pthread_join(waiter, nil) }
            var isOver = false
            do throws(Failure) {
                isOver = try follow(ended, sample)
            } catch {
                failure = error
            }
            guest.machine.stop()
            return isOver
        }
        if let failure { throw failure }
        return isOver ? nil : ended.result?.outcome
    }

    /// - Returns: whether the time was over before the guest ended.
    private func follow(
        _ ended: EndedRun, _ sample: (Duration) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        let start = MonotonicTime.now
        let end = limit.map { start.advanced(by: $0) }
        var next = start
        while true {
            // One that comes late does not make the next come early, nor several at once.
            next = max(next.advanced(by: interval), .now)
            let due = end.map { min($0, next) } ?? next
            let hasEnded = ended.wait(until: due)
            try sample(.now - start)
            if hasEnded { return false }
            if let end, MonotonicTime.now >= end { return true }
        }
    }
}
