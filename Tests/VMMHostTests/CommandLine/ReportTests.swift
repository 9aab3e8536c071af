import Glibc
import TestSupport
import Testing

@Suite(.needsKVM) struct ReportTests {
    @Test func `a report says what ran and how`() throws {
        let (run, report) = try runReporting(["-m", "64M", "-c", "2", "hello"])
        #expect(run == FinishedRun(0, "hello, world\n"))
        #expect(report.guest == "hello")
        #expect(report.format == "elf64")
        #expect(report.cpus == 2)
        #expect(report.outcome == "halted")
        #expect(report.exitStatus == 0)
        #expect(report.debugExitValue == nil)
        #expect(report.crash == nil)
        #expect(report.memory.guestBytes == 64 << 20)
        #expect(report.postCode == 0)
        #expect(report.unclaimedPorts.isEmpty)
        #expect(report.unclaimedPages.isEmpty)
    }

    @Test func `a report counts exits and measures time and memory`() throws {
        let (_, report) = try runReporting(["timer", "--", "3"])
        #expect((report.exits["portWrite"] ?? 0) > 30)
        #expect(report.time.setupSeconds > 0)
        // Three ticks of 10 ms.
        #expect(report.time.runSeconds > 0.02)
        #expect(report.time.runSeconds < 60)
        let resident = try #require(report.memory.residentBytes)
        #expect(resident > 100_000 && resident < 1 << 30)
    }

    /// A guest, how it ends by the report, and the status that the report and the program have alike.
    struct Ending: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        let outcome: String
        let status: Int32

        init(_ arguments: [String], _ outcome: String, _ status: Int32) {
            self.arguments = arguments
            self.outcome = outcome
            self.status = status
        }

        var testDescription: String { arguments.joined(separator: " ") }
    }

    @Test(arguments: [
        Ending(["hello16"], "halted", 0), Ending(["--irqchip", "none", "hello32"], "halted", 0),
        Ending(["exit"], "powered-off", 0), Ending(["exit", "--", "300"], "debug-exit", 89),
        Ending(["fault", "--", "null"], "crashed", 70), Ending(["--timeout", "200ms", "spin"], "timed-out", 124),
    ])
    func `a report names the ending and its status`(ending: Ending) throws {
        let (run, report) = try runReporting(ending.arguments)
        #expect(run.ending == .exited(ending.status))
        #expect(report.outcome == ending.outcome)
        #expect(report.exitStatus == ending.status)
        #expect(report.debugExitValue == (ending.outcome == "debug-exit" ? 300 : nil))
        #expect((report.crash != nil) == (ending.outcome == "crashed"))
    }

    @Test func `a report has the whole crash report in it`() throws {
        let (run, report) = try runReporting(["fault", "--", "ud2"])
        let crash = try #require(report.crash)
        #expect(crash.vcpu == 0)
        #expect(crash.summary.contains("(execute_undefined_instruction+0x"))
        #expect(run.errors == "vmm: guest crashed: \(crash.report)\n")
        #expect(crash.report.hasPrefix(crash.summary))
    }

    @Test func `a run that a signal ends is reported as well`() throws {
        let folder = try TemporaryFolder()
        let child = try VMMProgram.start(["run", "--timeout", "2m", "--report", folder.path("report.json"), "spin"])
        try child.waitForOutput("spinning\n")
        child.send(signal: SIGTERM)
        #expect(try child.finish().ending == .exited(143))
        let report = try RunReport(folder.contents("report.json"))
        #expect(report.outcome == "stopped")
        #expect(report.exitStatus == 143)
    }

    @Test func `a report takes the place of the one before`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("report.json", String(repeating: "old ", count: 10_000))
        #expect(try VMMProgram.run(["run", "--report", file, "hello"]).ending == .exited(0))
        #expect(try RunReport(folder.contents("report.json")).outcome == "halted")
    }

    @Test func `a report that cannot be written is an error of its own`() throws {
        let folder = try TemporaryFolder()
        for path in [folder.path("missing/report.json"), folder.path, "/dev/full"] {
            let run = try VMMProgram.run(["run", "--report", path, "hello"])
            #expect(run.ending == .exited(73))
            // What can be known before is not waited for.
            #expect(run.text == (path == "/dev/full" ? "hello, world\n" : ""))
            expectErrorLine(run, ["--report", path])
        }
    }
}
