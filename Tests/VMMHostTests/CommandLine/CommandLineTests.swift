import BuiltInGuests
import TestSupport
import Testing

/// What flags and arguments do to the machine and its guest.
@Suite(.needsKVM) struct CommandLineTests {
    private func run(_ arguments: String...) throws -> FinishedRun {
        try VMMProgram.run(["run"] + arguments)
    }

    @Test func `what follows two dashes reaches the guest`() throws {
        #expect(try run("exit", "--", "5") == FinishedRun(11, ""))
        #expect(try run("-m", "16M", "exit", "-c", "2", "--", "5") == FinishedRun(11, ""))
        #expect(try run("exit", "--") == FinishedRun(0, ""))
        // Nothing before the dashes: the guest is missing.
        expectRefusal(try run("--", "exit", "5"), 64, ["no GUEST"])
    }

    @Test func `guest arguments may look like flags of the monitor`() throws {
        let run = try run("dirty", "--", "--set", "64K", "--passes", "1", "--report", "0")
        #expect(run == FinishedRun(0, "dirty: 1 passes ok\n"))
    }

    @Test func `-p gives the whole command line`() throws {
        #expect(try run("exit", "-p", "any-name 5").ending == .exited(11))
        #expect(try run("exit", "--params", "any-name 6").ending == .exited(13))
        #expect(try run("exit", "--cmdline", "any-name 7", "--", "8").ending == .exited(15))
        #expect(try run("exit", "-p", "").ending == .exited(0))
    }

    @Test(arguments: [[], ["one", "two  three", "--four", "größe"]], ["flat32", "flat64"])
    func `the guest's command line is its image's name and the arguments`(arguments: [String], format: String) throws {
        let code = MachineCode.moveEDIToESI + MachineCode.printStringAtESI + MachineCode.halt
        let (run, _) = try runBytes(code, ["--format", format], guestArguments: arguments)
        #expect(run == FinishedRun(0, (["guest"] + arguments).joined(separator: " ")))
    }

    @Test(arguments: [["-k"], ["--kernel"], []])
    func `a file is booted`(flag: [String]) throws {
        let folder = try TemporaryFolder()
        let hello = try #require(BuiltInGuest(named: "hello"))
        let file = try folder.file("my kernel.elf", hello.bytes)
        #expect(try VMMProgram.run(["run"] + flag + [file]) == FinishedRun(0, "hello, world\n"))
    }

    @Test(arguments: ["64M", "64m", "65536K", "64MiB", "67108864", "0x4000000"])
    func `memory sizes can be written in many ways`(size: String) throws {
        let (run, report) = try runReporting(["-m", size, "hello"])
        #expect(run.ending == .exited(0))
        #expect(report.memory.guestBytes == 64 << 20)
    }

    @Test(arguments: ["-m", "--mem", "--memory"])
    func `a gigabyte is 1024 megabytes`(flag: String) throws {
        let (run, report) = try runReporting([flag, "1G", "hello"])
        #expect(run == FinishedRun(0, "hello, world\n"))
        #expect(report.memory.guestBytes == 1 << 30)
    }

    @Test func `without -m the guest has 128 MiB and one CPU`() throws {
        let (_, report) = try runReporting(["hello"])
        #expect(report.memory.guestBytes == 128 << 20)
        #expect(report.cpus == 1)
    }

    @Test func `a guest can have a timer in the kernel`() throws {
        #expect(try run("--pit", "hello") == FinishedRun(0, "hello, world\n"))
    }

    @Test func `a time limit that is not reached changes nothing`() throws {
        for limit in ["50", "50s", "50000ms", "0.9m", "1h"] {
            #expect(try run("--timeout", limit, "hello") == FinishedRun(0, "hello, world\n"))
        }
    }
}
