import Glibc
import TestSupport
import Testing

/// Standard streams that are not what a program hopes for.
@Suite(.needsKVM) struct StandardStreamTests {
    /// Expects the end of a run whose output was lost.
    private func expectLostOutput(_ run: FinishedRun, _ errno: Int32, sourceLocation: SourceLocation = #_sourceLocation)
    {
        #expect(run.ending == .exited(74), "\(run)", sourceLocation: sourceLocation)
        expectErrorLine(run, ["output", String(cString: strerror(errno))], sourceLocation: sourceLocation)
    }

    // MARK: Output

    @Test(
        .needsKVM, arguments: [["dirty", "--", "--set", "4K"], ["--irqchip", "none", "dirty", "--", "--set", "4K"]])
    func `a guest without an end ends when nobody reads its output`(arguments: [String]) throws {
        expectLostOutput(try VMMProgram.run(["run"] + arguments, output: .withoutReader), EPIPE)
        expectLostOutput(try VMMProgram.run(["run"] + arguments, output: .file("/dev/full")), ENOSPC)
        let child = try VMMProgram.start(["run"] + arguments)
        try child.waitForOutput("pass 2 ok\n")
        child.closeOutput()
        expectLostOutput(try child.finish(), EPIPE)
    }

    /// The guest may have ended before the loss of its output could stop it; it is no success all the same.
    @Test(

        arguments: [["hello"], ["--irqchip", "none", "hello"], ["timer", "--", "1"], ["exit", "--", "three"]])
    func `a guest that ends by itself has lost its output all the same`(arguments: [String]) throws {
        for _ in 0..<5 {
            expectLostOutput(try VMMProgram.run(["run"] + arguments, output: .withoutReader), EPIPE)
        }
        expectLostOutput(try VMMProgram.run(["run"] + arguments, output: .file("/dev/full")), ENOSPC)
    }

    @Test func `output that nobody reads is no matter where there is none`() throws {
        #expect(try VMMProgram.run(["run", "exit", "--", "1"], output: .withoutReader) == FinishedRun(3, ""))
    }

    @Test(arguments: [["guests"], ["run", "--print-configuration", "hello"], ["info"], ["info", "--json"]])
    func `what a command shows is not lost silently`(arguments: [String]) throws {
        expectLostOutput(try VMMProgram.run(arguments, output: .file("/dev/full")), ENOSPC)
    }

    // MARK: Closed from the start

    @Test func `without a standard input a guest runs as with an empty one`() throws {
        #expect(try VMMProgram.run(["run", "hello"], input: .closed) == FinishedRun(0, "hello, world\n"))
        // Nothing else must be taken for input.
        let echo = try VMMProgram.run(["run", "--timeout", "1s", "echo"], input: .closed)
        #expect(echo.ending == .exited(124))
        #expect(echo.text == "")
    }

    @Test func `without a standard output the output is lost and that is said`() throws {
        expectLostOutput(try VMMProgram.run(["run", "hello"], output: .closed), EBADF)
        expectLostOutput(try VMMProgram.run(["run", "hello"], input: .closed, output: .closed), EBADF)
    }

    @Test func `without a standard error the output is the guest's alone`() throws {
        #expect(try VMMProgram.run(["run", "hello"], errors: .closed) == FinishedRun(0, "hello, world\n"))
        let crash = try VMMProgram.run(["run", "fault", "--", "ud2"], errors: .closed)
        #expect(crash == FinishedRun(70, "fault: about to execute ud2\n"))
        let both = try VMMProgram.run(["run", "fault", "--", "ud2"], input: .closed, errors: .closed)
        #expect(both == FinishedRun(70, "fault: about to execute ud2\n"))
        #expect(try VMMProgram.run(["run", "/nonexistent"], errors: .closed) == FinishedRun(66, ""))
    }

    @Test func `without any standard stream the status is still right`() throws {
        func status(_ arguments: [String]) throws -> FinishedRun.Ending {
            try VMMProgram.run(["run"] + arguments, input: .closed, output: .closed, errors: .closed).ending
        }
        #expect(try status(["exit"]) == .exited(0))
        #expect(try status(["exit", "--", "5"]) == .exited(11))
        #expect(try status(["hello"]) == .exited(74))
        #expect(try status(["/nonexistent"]) == .exited(66))
    }

    // MARK: Apart

    @Test func `standard output is the guest's and standard error the monitor's`() throws {
        let crash = try VMMProgram.run(["run", "fault", "--", "null"])
        #expect(crash.text == "fault: about to read through a null pointer\n")
        #expect(crash.errors.hasPrefix("vmm: guest crashed: "))
        let late = try VMMProgram.run(["run", "--timeout", "500ms", "spin"])
        #expect(late.text == "spinning\n")
        expectErrorLine(late, ["500ms"])
    }
}
