import FoundationEssentials
import TestSupport
import Testing

/// `vmm demo migration`: that it proves what it is to prove, and leaves nothing behind.
@Suite(.needsKVM, .serialized) struct MigrationDemoTests {
    private static let small = ["--set", "8M", "--rate", "20M", "--after", "300ms", "--seconds", "1s"]

    private func contents(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }

    @Test(arguments: [[], ["--multifd-channels", "3", "--cpus", "2", "--dirty-tracking", "log", "--io", "plain"]])
    func `a guest is moved, all is proved, and there is a report`(_ options: [String]) throws {
        let folder = try TemporaryFolder()
        let (report, picture) = (folder.path("report.html"), folder.path("picture.svg"))
        let run = try VMMProgram.run(
            ["demo", "migration", "--output", report, "--picture", picture] + Self.small + options)
        #expect(run.ending == .exited(0) && run.errors == "", "\(run)")
        #expect(run.text.count { $0 == "\u{1b}" } == 0)
        let lines = run.text.split(separator: "\n")
        #expect(lines.count { $0.hasPrefix("proved  ") } == 4 && !run.text.contains("FAILED"))
        #expect(lines.contains { $0.hasPrefix("    0 ") } && lines.contains { $0.contains("stopped") })
        #expect(run.text.contains("passes ok”") && run.text.contains("compare the memory"))
        let page = try contents(report)
        #expect(page.hasPrefix("<!DOCTYPE html>") && page.hasSuffix("</html>\n"))
        #expect(page.contains("Nothing was lost") && page.contains("8M, random"))
        let drawing = try contents(picture)
        #expect(drawing.contains("<svg") && drawing.hasSuffix("</svg>\n"))
    }

    @Test func `what cannot be is refused before anything starts`() throws {
        let folder = try TemporaryFolder()
        let report = folder.path("report.html")
        let refusals = [
            Refusal(["--output", "/nowhere/report.html"], 73, ["--output", "/nowhere/report.html", "No such file"]),
            Refusal(["--output", report, "--picture", "/nowhere/p.svg"], 73, ["--picture", "/nowhere/p.svg"]),
            Refusal(
                ["--output", report, "--set", "64M", "--memory", "64M"], ["--set", "16M + 64M", "--memory is 64M"]),
            Refusal(["--output", report, "--set", "4000T", "--rate", "max"], ["-m (memory)"]),
            Refusal(["--output", report, "--set", "1G", "--rate", "1M"], ["--rate", "a pass over 1G"]),
            Refusal(["--output", report, "--set", "0"], ["--set"]),
            Refusal(["--output", report, "--rate", "never"], ["--rate", "100M"]),
            Refusal(["--output", report, "--cpus", "0"], ["--cpus"]),
            Refusal(["--output", report, "--dirty-tracking", "off"], ["--dirty-tracking", "off"]),
            Refusal(["--output", report, "--max-bandwidth", "0"], ["--max-bandwidth"]),
        ]
        for refusal in refusals {
            expectRefusal(
                try VMMProgram.run(["demo", "migration"] + refusal.arguments), refusal.status, refusal.words)
        }
        // A file that was made for the report is gone.
        #expect(try TemporaryFolder.entries(folder.path).isEmpty)
    }

    /// After the first line; while a round is sent; and when the guest has moved.
    @Test(arguments: ["to another process", "\n    0 ", "  hand over"])
    func `an interrupt at any time ends both processes, and leaves no file`(_ moment: String) throws {
        let folder = try TemporaryFolder()
        let limit = moment == "  hand over" ? [] : ["--max-bandwidth", "20M"]
        let demo = try VMMProgram.start(
            [
                "demo", "migration", "--output", folder.path("report.html"), "--set", "32M", "--rate", "500M",
                "--after",
                "500ms", "--seconds", "50s",
            ] + limit)
        try demo.waitForOutput(moment)
        let children = try RunningProcesses.children(of: demo.identifier)
        #expect(children.count == (moment == "to another process" ? 0 : 1))
        demo.send(signal: 2)
        let run = try demo.finish()
        #expect(run.ending == .exited(130), "\(run)")
        #expect(run.errors == "vmm: error: interrupted\n")
        #expect(children.allSatisfy { !RunningProcesses.isRunning($0) })
        #expect(try TemporaryFolder.entries(folder.path).isEmpty)
    }
}
