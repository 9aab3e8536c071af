import ArgumentParser
import Glibc
import KVM
import SystemPackage
import VMDirtyTracking
import VMMachine

struct DirtyRateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dirty-rate",
        abstract: "Measure how fast a guest writes to its memory, and what measuring costs it.",
        discussion: """
            Runs the guest, and prints for each interval how many pages of 4 KiB were written in it; a page counts once, \
            however often it is written. Then it stops the guest and sums up.

              vmm dirty-rate dirty --count 5 -- --rate 20M --set 32M
              vmm dirty-rate --mode dirty-ring -c 2 --interval 500ms kernel.elf

            Modes, as QEMU's calc-dirty-rate has them:
              dirty-bitmap   counts all pages, by the kernel's dirty log (the default)
              dirty-ring     the same by a ring for each vCPU, and tells which vCPU it was
              page-sampling  reads pages chosen at random, twice, and estimates

            Sampling tracks nothing, and cannot see that a page was written with what it had.

            Nothing is measured in the first 2 s, or two intervals: for one half the guest starts up, for the other it runs \
            untracked, so that there is something to compare the cost with. --no-baseline measures from its start.

            The cost is what the vCPUs used of the host, in the time measured and in that before. User time includes the \
            guest's own; user and system time are told apart by the host's clock ticks, which is rough, and entering and \
            leaving the guest may count as either. Page faults and exits are counted by KVM.

            With --json, a line for each interval and a last one with the key summary. Keys say their units; all is what \
            was written anywhere, vcpus what their rings had, where a page can count for two vCPUs or again once a ring was \
            emptied, cost what the vCPUs used of the host, baselineCost that without measuring. What is not known is left \
            out.

            The guest's serial output is dropped unless there is a --guest-output.

            Exit status: 0 after --count intervals; otherwise as of 'vmm run'. 73 the guest's output could not be \
            written from the start.
            """)

    @OptionGroup var options: MachineOptions

    @Option(name: .long, help: "How to measure.")
    var mode: DirtyRateMode = .dirtyBitmap

    @Option(
        name: .long, help: ArgumentHelp("How long an interval is: 1s (the default), 100ms.", valueName: "time"),
        transform: { try $0.parsed("a time of a millisecond or more, such as 1s or 100ms", TimeLimit.init) })
    var interval: TimeLimit = TimeLimit(.seconds(1))

    @Option(name: .long, help: "How many intervals to measure (default: until the guest ends, or Ctrl-C).")
    var count: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("Of page-sampling: how many pages to read of each GiB (default 512).", valueName: "count"))
    var samplePages: Int?

    @Flag(name: .long, inversion: .prefixedNo, help: "Compare with some time that is not measured, or not.")
    var baseline = true

    @Flag(name: .long, help: "Print a line of JSON for each interval, and one for the summary.")
    var json = false

    @Option(name: .long, help: ArgumentHelp("Write the guest's serial output to FILE.", valueName: "file"))
    var guestOutput: String?

    private static let largestSample = 1 << 18

    func run() throws {
        try check()
        var configuration = try options.makeConfiguration()
        try mode.configure(&configuration, support(configuration))
        let file = try guestOutput.map { path throws(Failure) in try Self.open(path) }
        defer { try? file?.close() }
        var output: SerialOutput?
        let guest = try GuestRun(configuration) { end in
            guard let file else { return DroppedOutput() }
            let made = SerialOutput(file.rawValue, onFailure: end)
            output = made
            return made
        }
        let outcome = try measure(guest)
        if let errno = output?.failedWith {
            throw Failure(.ioError, "--guest-output: cannot write \(guestOutput ?? ""): \(Errno(rawValue: errno))")
        }
        throw ExitCode((outcome.map(guest.finish) ?? .success).rawValue)
    }

    private func check() throws(Failure) {
        if let count, count < 1 {
            throw Failure(.usage, "--count: \(count) is less than the one interval there has to be")
        }
        guard let samplePages else { return }
        guard mode == .pageSampling else {
            throw Failure(.usage, "--sample-pages: --mode \(mode.rawValue) counts all pages; use --mode page-sampling")
        }
        guard 1...Self.largestSample ~= samplePages else {
            throw Failure(
                .usage,
                "--sample-pages: \(samplePages) is not from 1 to \(Self.largestSample), the pages there are in a GiB")
        }
    }

    /// Nil where the host has no KVM to ask, which making the machine tells.
    private func support(_ configuration: MachineConfiguration) -> DirtyTrackingSupport? {
        guard let system = try? KVMSystem(path: configuration.kvmDevice) else { return nil }
        return DirtyTrackingSupport(system)
    }

    private static func open(_ path: String) throws(Failure) -> FileDescriptor {
        do {
            return try FileDescriptor.open(
                FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
        } catch {
            throw Failure(.cannotCreate, "--guest-output: cannot write \(path): \(error)")
        }
    }

    /// - Returns: how the guest ended; nil where all intervals were measured before.
    private func measure(_ guest: GuestRun) throws(Failure) -> Outcome? {
        var session = try DirtyRateSession(
            guest.machine, mode, sampleSize: samplePages ?? DirtyRateMeter.usualSampleSize)
        let lines = DirtyRateLines(mode: mode, regions: session.regions, interval: interval.duration)
        if !json { try CommandOutput.print(([heading(guest.machine), ""] + lines.header).joined(separator: "\n")) }
        if !baseline { try session.skipBaseline() }
        let wanted = count.map(UInt64.init)
        let run = SampledRun(guest: guest, interval: interval.duration, limit: nil)
        let outcome = try run.run { time throws(Failure) in
            // It is called once more when the guest has been stopped.
            guard session.totals.intervalCount != wanted, let measured = try session.sample(at: time) else { return }
            try show(measured, lines)
            if session.totals.intervalCount == wanted { guest.machine.stop() }
        }
        try finish(session)
        return session.totals.intervalCount == wanted ? nil : outcome
    }

    private func show(_ measured: DirtyRateSession.Measured, _ lines: DirtyRateLines) throws(Failure) {
        if json {
            try CommandOutput.print(JSONText.line(DirtyRateReport(measured, mode, lines.regions)))
        } else {
            try CommandOutput.print(lines.lines(measured).joined(separator: "\n"))
        }
    }

    private func finish(_ session: borrowing DirtyRateSession) throws(Failure) {
        if json {
            try CommandOutput.print(JSONText.line(DirtyRateSummaryReport(session, mode)))
        } else if session.totals.intervalCount > 0 {
            let summary = DirtyRateSummary(
                mode: mode, regions: session.regions, totals: session.totals, baseline: session.baseline,
                cost: session.cost)
            try CommandOutput.print("\n\(summary)")
        } else {
            try CommandOutput.print(
                "\nThe guest ended before anything was measured; use --no-baseline, or a shorter --interval.")
        }
    }

    private func heading(_ machine: Machine) -> String {
        let configuration = machine.configuration
        let how = machine.dirtyTracker.methods.first.map { " (\($0.displayName))" } ?? ""
        let cpus = UInt64(configuration.cpus).counted("vCPU")
        let memory = ByteText.rounded(configuration.memory.bytes)
        let length = DurationText.rounded(interval.duration)
        let phase = DurationText.rounded(max(interval.duration, DirtyRateSession.shortestPhase))
        let first = baseline ? ", after \(phase) to start up and \(phase) to compare with" : ""
        return "\(configuration.guest), \(memory), \(cpus), by \(mode.rawValue)\(how)\nIntervals of \(length)\(first)."
    }
}

extension DirtyRateMode: ExpressibleByArgument {}
