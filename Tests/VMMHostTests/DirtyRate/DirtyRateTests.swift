import Glibc
import TestSupport
import Testing

/// The guest writes 20 MiB a second of 32 MiB, so that no page is written twice in a second.
@Suite(.needsKVM) struct DirtyRateTests {
    private static let guest = ["dirty", "--", "--rate", "20M", "--set", "32M", "--report", "0"]
    private static let megabyte = 1_048_576.0

    /// What a host that is busy with other things can make of 20 MiB a second.
    private static let plausible = (2 * megabyte)...(60 * megabyte)

    private func measure(_ options: [String]) throws -> DirtyRateOutput {
        let output = try DirtyRateOutput(options + Self.guest)
        #expect(output.run.ending == .exited(0), "\(output.run)")
        #expect(output.run.errors == "")
        return output
    }

    @Test(arguments: [
        ["--mode", "dirty-bitmap"], ["--mode", "dirty-bitmap", "--dirty-tracking", "log"], ["--mode", "dirty-ring"],
    ])
    func `pages are counted`(options: [String]) throws {
        let output = try measure(options + ["--interval", "500ms", "--count", "3"])
        #expect(output.intervals.count == 3)
        #expect(output.summary.intervals == 3)
        #expect(Self.plausible ~= (output.summary.mean?.bytesPerSecond ?? 0))
        #expect(output.summary.peakBytesPerSecond >= output.summary.mean?.bytesPerSecond ?? .infinity)
        for interval in output.intervals {
            #expect(interval.regions.map(\.name) == ["ram"])
            #expect(interval.regions[0].rate.dirtyPages == interval.all.dirtyPages)
            #expect(interval.all.standardErrorBytesPerSecond == nil)
            let seconds = interval.endSeconds - interval.startSeconds
            #expect(abs(interval.all.pagesPerSecond - interval.all.dirtyPages / seconds) < 1)
            #expect(interval.all.bytesPerSecond == interval.all.pagesPerSecond * 4096)
            #expect(interval.measuringSeconds > 0)
            #expect(interval.measuringKernelSeconds ?? 0 > 0)
        }
        let starts = output.intervals.map(\.startSeconds)
        #expect(starts.dropFirst() == output.intervals.dropLast().map(\.endSeconds)[...])
        // More pages than in any interval, no more than in all, and hardly more than the set has.
        let pages = output.intervals.map(\.all.dirtyPages)
        let workingSet = Double(output.summary.workingSetPages ?? 0)
        #expect(workingSet >= pages.max() ?? 0 && workingSet <= min(pages.reduce(0, +), 8192 + 64))
    }

    @Test func `with rings what vCPUs wrote sums up to what was written`() throws {
        let output = try measure(["--mode", "dirty-ring", "-c", "2", "--interval", "500ms", "--count", "2"])
        for interval in output.intervals {
            let vcpus = try #require(interval.vcpus)
            #expect(vcpus.map(\.index) == [0, 1])
            // The guest's stack can be in a ring again after that was emptied.
            let sum = vcpus.reduce(0) { $0 + $1.rate.dirtyPages }
            #expect(sum >= interval.all.dirtyPages && sum <= interval.all.dirtyPages + 64)
            #expect(vcpus[1].rate.dirtyPages == 0)
            #expect(interval.cost.fullRings != nil && interval.cost.fullRingSeconds != nil)
        }
    }

    @Test func `both of two vCPUs that write are in their rings`() throws {
        let output = try DirtyRateOutput([
            "--mode", "dirty-ring", "-c", "2", "--interval", "500ms", "--count", "4", "dirty", "--", "--rate", "20M",
            "--set", "32M", "--cpus",
            "2", "--report", "0",
        ])
        let vcpus = try #require(output.summary.vcpus)
        // Both write for as long as they run; on a busy host the second may not for most of the time.
        #expect(vcpus.count == 2 && vcpus.allSatisfy { $0.rate.dirtyPages > 0 })
    }

    @Test func `without rings nothing is said of vCPUs`() throws {
        let output = try measure(["--no-baseline", "--interval", "200ms", "--count", "1"])
        #expect(output.intervals[0].vcpus == nil && output.summary.vcpus == nil)
        #expect(output.intervals[0].cost.fullRings == nil)
    }

    /// A sample of an eighth of all pages; two seconds, in which 8192 of 32768 pages change at least once.
    @Test func `sampling comes near`() throws {
        let output = try measure([
            "--mode", "page-sampling", "--sample-pages", "32768", "--count", "2",
        ])
        #expect(Self.plausible ~= (output.summary.mean?.bytesPerSecond ?? 0))
        #expect(output.summary.workingSetPages == nil && output.summary.measuringKernelSeconds == nil)
        for interval in output.intervals {
            let error = try #require(interval.all.standardErrorBytesPerSecond)
            #expect(error > 0 && error < 3 * Self.megabyte)
            #expect(interval.regions[0].rate.standardErrorBytesPerSecond == error)
            #expect(interval.vcpus == nil && interval.workingSetPages == nil)
            #expect(interval.measuringSeconds > 0)
        }
    }

    @Test func `there is something to compare the cost with, unless that is not wanted`() throws {
        let compared = try measure(["--interval", "200ms", "--count", "1"])
        let baseline = try #require(compared.summary.baselineCost)
        #expect(baseline.durationSeconds >= 0.8)
        let cost = try #require(compared.summary.cost)
        #expect(cost.durationSeconds >= 0.15)
        #expect(cost.vcpuUserSeconds != nil && cost.vcpuSystemSeconds != nil)
        #expect(try measure(["--no-baseline", "--interval", "200ms", "--count", "1"]).summary.baselineCost == nil)
    }

    @Test func `regions have their own rates, and ROM is none`() throws {
        let folder = try TemporaryFolder()
        let rom = try folder.file("rom", [UInt8](repeating: 0x90, count: 4096))
        let output = try DirtyRateOutput([
            "--no-baseline", "--count", "1", "--interval", "500ms", "-m", "4G", "--rom", "\(rom)@0xf0000", "dirty",
            "--",
            "--base", "4G", "--set", "4M", "--rate", "20M", "--report", "0",
        ])
        let regions = output.intervals[0].regions
        #expect(regions.map(\.name) == ["ram", "high ram"])
        #expect(regions[0].ranges.map(\.start) == ["0x0", "0xf1000"])
        #expect(regions[1].rate.dirtyPages >= 512)
        #expect(regions.reduce(0) { $0 + $1.rate.dirtyPages } == output.intervals[0].all.dirtyPages)
    }

    // MARK: Ends

    @Test func `a guest that ends is summed up, and its status is the program's`() throws {
        let run = try VMMProgram.run([
            "dirty-rate", "--no-baseline", "dirty", "--", "--passes", "2", "--set", "1M", "--report", "0",
        ])
        #expect(run.ending == .exited(0) && run.errors == "")
        #expect(run.text.contains("working set"))
        #expect(try VMMProgram.run(["dirty-rate", "--no-baseline", "exit", "--", "3"]).ending == .exited(7))
    }

    @Test func `one that ends before it is measured is said to have`() throws {
        let run = try VMMProgram.run(["dirty-rate", "hello"])
        #expect(run.ending == .exited(0) && run.text.contains("before anything was measured"))
        let output = try DirtyRateOutput(["hello"])
        #expect(output.intervals.isEmpty && output.summary.intervals == 0 && output.summary.mean == nil)
    }

    @Test func `an interrupt ends it with a summary`() throws {
        let child = try VMMProgram.start(["dirty-rate", "--no-baseline", "--interval", "100ms"] + Self.guest)
        try child.waitForOutput("0.2")
        child.send(signal: SIGINT)
        let run = try child.finish()
        #expect(run.ending == .exited(130) && run.errors == "")
        #expect(run.text.contains("\nmean ") && run.text.contains("\nworking set "))
    }

    @Test func `the time limit holds`() throws {
        let run = try VMMProgram.run(["dirty-rate", "--timeout", "500ms", "--no-baseline"] + Self.guest)
        #expect(run.ending == .exited(124) && run.errors.contains("--timeout"))
    }

    @Test func `what the guest prints is dropped, or goes to a file`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("output", "something longer than what the guest prints, of before")
        let dropped = try VMMProgram.run(["dirty-rate", "--no-baseline", "hello"])
        #expect(!dropped.text.contains("Hello"))
        _ = try VMMProgram.run(["dirty-rate", "--no-baseline", "--guest-output", file, "hello"])
        #expect(try folder.contents("output") == VMMProgram.run(["run", "hello"]).output)
        let made = folder.path("made")
        _ = try VMMProgram.run(["dirty-rate", "--no-baseline", "--guest-output", made, "hello"])
        #expect(try folder.contents("made") == folder.contents("output"))
    }

    @Test func `lines fit a terminal`() throws {
        for mode in ["dirty-bitmap", "dirty-ring", "page-sampling"] {
            let run = try VMMProgram.run(
                ["dirty-rate", "--mode", mode, "--interval", "100ms", "--count", "2"] + Self.guest)
            #expect(run.ending == .exited(0))
            for line in run.text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        }
    }
}
