import Glibc
import TestSupport
import Testing

@Suite(.needsKVM) struct SignalTests {
    /// A guest that does not end by itself, and what it prints once it is as far as it gets.
    struct Endless: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        var begins = "spinning\n"

        static let all = [
            Endless(arguments: ["spin"]), Endless(arguments: ["spin", "--", "user"]),
            Endless(arguments: ["--irqchip", "none", "spin"]), Endless(arguments: ["-c", "4", "spin"]),
            Endless(arguments: ["echo"], begins: "READY"), Endless(arguments: ["echo", "--", "poll"], begins: "READY"),
        ]

        var testDescription: String { arguments.joined(separator: " ") }

        /// The time limit is for the case that nobody is left to end it.
        func start(_ flags: [String] = ["--timeout", "2m"]) throws -> ChildProcess {
            let child = try VMMProgram.start(["run"] + flags + arguments, input: .open)
            child.send("ready".utf8)
            try child.waitForOutput(begins)
            return child
        }
    }

    @Test(arguments: Endless.all, [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)] as [(Int32, Int32)])
    func `a signal ends the run with the shell's status for it`(
        guest: Endless, signal: (number: Int32, status: Int32)
    ) throws {
        let child = try guest.start()
        child.send(signal: signal.number)
        #expect(try child.finish() == FinishedRun(signal.status, guest.begins))
    }

    @Test func `the time limit ends every kind of guest`() throws {
        let children = try Endless.all.map { guest in (guest, try guest.start(["--timeout", "2s"])) }
        for (guest, child) in children {
            let run = try child.finish()
            #expect(run.ending == .exited(124), "\(guest)")
            #expect(run.text == guest.begins)
            expectErrorLine(run, ["longer than 2s", "--timeout"])
        }
    }

    @Test func `many signals are as good as one`() throws {
        let child = try Endless.all[0].start()
        for _ in 0..<100 { child.send(signal: SIGINT) }
        #expect(try child.finish() == FinishedRun(130, "spinning\n"))
    }

    @Test func `a signal that was ignored before stays so`() throws {
        let script = #"trap "" HUP; exec "$@""#
        let child = try ChildProcess(
            "/bin/sh", ["-c", script, "sh", VMMProgram.path(), "run", "--timeout", "2m", "spin"])
        try child.waitForOutput("spinning\n")
        // Of two signals at once the one with the lower number, the hang-up, would be first.
        child.send(signal: SIGHUP)
        child.send(signal: SIGTERM)
        #expect(try child.finish().ending == .exited(143))
    }

    @Test func `a guest whose output nobody takes can be stopped`() throws {
        let child = try VMMProgram.start(["run", "dirty", "--", "--set", "4K"])
        try child.waitForOutput("pass 1 ok\n")
        try child.waitUntilOutputIsFull()
        child.send(signal: SIGINT)
        #expect(try child.waitForExit() == .exited(130))
    }

    @Test func `a guest whose output nobody takes runs into its time limit`() throws {
        let child = try VMMProgram.start(["run", "--timeout", "1s", "dirty", "--", "--set", "4K"])
        try child.waitForOutput("pass 1 ok\n")
        try child.waitUntilOutputIsFull()
        #expect(try child.waitForExit() == .exited(124))
    }

    @Test func `twenty runs at a time all succeed`() throws {
        let children = try (0..<20).map { _ in try VMMProgram.start(["run", "hello"]) }
        for child in children { #expect(try child.finish() == FinishedRun(0, "hello, world\n")) }
    }

    @Test func `a run has one process with a thread for each CPU and leaves nothing behind`() throws {
        let child = try VMMProgram.start(["run", "--timeout", "2m", "-c", "3", "spin"])
        try child.waitForOutput("spinning\n")
        // Besides the CPUs': the main thread and the one for input and signals. The guest may print before the other
        // CPUs' threads have started.
        let expected = 5
        for _ in 0..<5000 where try threads(of: child) < expected { usleep(1000) }
        #expect(try threads(of: child) == expected)
        child.send(signal: SIGTERM)
        #expect(try child.finish().ending == .exited(143))
        // The child was the first of a process group, in which its own children would be.
        #expect(kill(-child.identifier, 0) == -1)
        #expect(errno == ESRCH)
    }

    private func threads(of child: ChildProcess) throws -> Int {
        let folder = "/proc/\(child.identifier)/task"
        return try TemporaryFolder.entries(folder).filter { thread in
            // Some kernels keep a thread of their own for KVM in the process.
            !(try TemporaryFolder.contents(ofFile: "\(folder)/\(thread)/comm")).starts(with: "kvm-".utf8)
        }.count
    }
}
