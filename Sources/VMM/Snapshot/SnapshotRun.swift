import Glibc
import VMHost
import VMMachine
import VMMigration

/// A run of which snapshots are taken.
struct SnapshotRun {
    let guest: GuestRun
    let schedule: SnapshotSchedule
    let snapshots: MachineSnapshots

    /// - Parameter origin: what the machine was restored from, if it was.
    init(_ guest: GuestRun, _ schedule: SnapshotSchedule, origin: Snapshot? = nil) throws(Failure) {
        self.guest = guest
        self.schedule = schedule
        snapshots = MachineSnapshots(guest.machine, restoredFrom: origin)
        guard origin != nil else { return }
        do throws(MigrationError) {
            try snapshots.startTracking()
        } catch {
            throw Failure(ExitStatus(error), "\(error)")
        }
    }

    /// Runs the guest until the last snapshot is there, or as long as it runs.
    /// - Returns: how it went, and why a snapshot is missing where the guest ran on without it.
    /// - Throws: why there is none, where the guest was there for it alone.
    func run() throws(Failure) -> (result: RunResult, failure: Failure?) {
        let ended = EndedRun()
        var failure: Failure?
        try guest.run { () throws(MachineError) in
            try guest.machine.start()
            let waiter = try ended.wait(for: guest.machine)
            defer { pthread_join(waiter, nil) }
            do throws(Failure) {
                failure = try takeAll(ended)
                if !schedule.runsOn { guest.machine.handOver() }
            } catch {
                failure = error
                guest.machine.stop()
            }
        }
        if let failure, !schedule.runsOn { throw failure }
        guard let result = ended.result else {
            throw Failure(.hostFailure, "the guest has ended, and nobody knows how")
        }
        return (result, failure)
    }

    /// - Returns: why one is missing, where the guest is to run on.
    private func takeAll(_ ended: EndedRun) throws(Failure) -> Failure? {
        var missing: Failure?
        var due = MonotonicTime.now.advanced(by: schedule.first)
        for number in 0..<schedule.count {
            guard !ended.wait(until: due) else {
                report(missing: number)
                return missing
            }
            let path = schedule.path(number)
            do throws(MigrationError) {
                let report = try snapshots.take(path, replacing: schedule.replacing)
                StandardError.write("vmm: \(Self.summary("\(path)", report))")
            } catch .guestEnded {
                report(missing: number)
                return missing
            } catch {
                let failure = Failure(ExitStatus(error), "no snapshot: \(error)")
                guard schedule.runsOn else { throw failure }
                // The next one may succeed, and has what was written since the last that did.
                StandardError.report(failure.message)
                missing = missing ?? failure
            }
            due = max(due.advanced(by: schedule.interval), .now)
        }
        return missing
    }

    private func report(missing number: Int) {
        StandardError.report(
            "the guest ended before "
                + (number == 0 ? "there was a snapshot" : "snapshot \(number + 1) of \(schedule.count)"))
    }

    private static func summary(_ path: String, _ report: MachineSnapshots.Report) -> String {
        "\(report.isFull ? "full" : "differential") snapshot \(path): \(ByteText.rounded(report.pages.data * 4096)) of pages, "
            + "guest stopped for \(DurationText.rounded(report.pause)), written in \(DurationText.rounded(report.duration))"
    }
}
