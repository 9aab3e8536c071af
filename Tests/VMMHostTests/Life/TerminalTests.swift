import Glibc
import TestSupport
import Testing

/// The program as people use it: at a terminal.
@Suite(.needsKVM) struct TerminalTests {
    /// A shell at a terminal that runs the program, prints its status, and stays.
    private struct Session {
        let terminal: PseudoTerminal
        let shell: ChildProcess
        /// How the terminal was set up before: not quite as usual.
        let before: TerminalMode

        /// - Parameter run: the shell's command that runs the program, which is `"$@"`.
        init(_ arguments: [String], run: String = #""$@""#) throws {
            terminal = try PseudoTerminal()
            var mode = terminal.mode
            mode.local &= ~UInt32(ECHOK)
            mode.input |= UInt32(ISTRIP | INLCR)
            mode.keys[Int(VERASE)] = 8
            mode.keys[Int(VSUSP)] = 0x15
            mode.keys[Int(VMIN)] = 3
            terminal.mode = mode
            before = terminal.mode
            // The interrupt key reaches the shell as well.
            let script = "trap : INT; \(run); printf '<status %d>' $?; read held"
            shell = try ChildProcess(
                "/bin/sh", ["-c", script, "sh", VMMProgram.path(), "run"] + arguments, on: terminal)
        }

        /// The program's status, and what came before it on the terminal.
        func finish() throws -> FinishedRun {
            try shell.waitForOutput("<status ")
            try shell.waitForOutput(">")
            let text = shell.outputSoFar
            let parts = try #require(text.wholeMatch(of: #/(?s)(.*)<status (\d+)>.*/#)).output
            return FinishedRun(Int32(parts.2) ?? -1, String(parts.1))
        }
    }

    @Test func `typed text reaches the guest and only what it prints is shown`() throws {
        let session = try Session(["echo"])
        // Any byte comes through at once, and tells that the terminal is the guest's.
        session.shell.send("hello".utf8)
        try session.shell.waitForOutput("HELLO")
        #expect(!session.terminal.mode.echoes)
        #expect(!session.terminal.mode.waitsForLines)
        // Return, delete, Ctrl-Z, Ctrl-S, Ctrl-Q, Ctrl-\, Ctrl-U and a byte with its top bit.
        let special: [UInt8] = [13, 127, 26, 19, 17, 28, 21, 0xe9]
        session.shell.send(special + [UInt8(ascii: "."), 4])
        let run = try session.finish()
        #expect(run.ending == .exited(0))
        let text = "HELLO\r\u{7f}\u{1a}\u{13}\u{11}\u{1c}\u{15}"
        #expect(run.text.hasSuffix(text + "\u{fffd}."), "\(run)")
        #expect(session.terminal.mode == session.before)
    }

    @Test func `Ctrl-A Ctrl-A is one Ctrl-A for the guest and Ctrl-A C is Ctrl-C`() throws {
        let session = try Session(["echo"])
        session.shell.send("a".utf8)
        try session.shell.waitForOutput("A")
        session.shell.send([1, 1] + "b".utf8 + [1] + "c".utf8 + [1] + "z".utf8 + "!".utf8)
        try session.shell.waitForOutput("\u{1}B\u{3}\u{1}Z!")
        session.shell.send([4])
        #expect(try session.finish().ending == .exited(0))
        #expect(session.terminal.mode == session.before)
    }

    /// A way for a run at a terminal to end.
    struct Ending: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        /// What to wait for before typing.
        let begins: String
        var typed: [UInt8] = []
        let status: Int32

        var testDescription: String { "\(arguments.joined(separator: " ")), typing \(typed)" }
    }

    @Test(arguments: [
        Ending(arguments: ["spin"], begins: "spinning", typed: [1, UInt8(ascii: "x")], status: 130),
        Ending(arguments: ["spin", "--", "user"], begins: "spinning", typed: [1, UInt8(ascii: "X")], status: 130),
        Ending(arguments: ["spin"], begins: "spinning", typed: [3], status: 130),
        Ending(arguments: ["spin", "--", "user"], begins: "spinning", typed: [3], status: 130),
        Ending(arguments: ["--timeout", "500ms", "spin"], begins: "spinning", status: 124),
        Ending(arguments: ["fault", "--", "ud2"], begins: "about to", status: 70),
        Ending(arguments: ["fault", "--", "wild-jump"], begins: "about to", status: 70),
        Ending(arguments: ["exit", "--", "7"], begins: "", status: 15),
        Ending(arguments: ["hello"], begins: "hello, world\r\n", status: 0),
        Ending(arguments: ["--report", "/dev/full", "hello"], begins: "hello", status: 73),
        Ending(arguments: ["--kvm-device", "/dev/null", "hello"], begins: "vmm: error:", status: 69),
    ])
    func `the terminal is as it was after every kind of ending`(ending: Ending) throws {
        let session = try Session(ending.arguments)
        if !ending.begins.isEmpty { try session.shell.waitForOutput(ending.begins) }
        session.shell.send(ending.typed)
        #expect(try session.finish().ending == .exited(ending.status))
        #expect(session.terminal.mode == session.before)
    }

    @Test(arguments: [(SIGTERM, 143), (SIGHUP, 129)] as [(Int32, Int32)])
    func `the terminal is as it was after a signal`(signal: (number: Int32, status: Int32)) throws {
        // A shell that becomes the program tells its number first.
        let session = try Session(["spin"], run: #"sh -c 'echo "<$$>"; exec "$@"' sh "$@""#)
        try session.shell.waitForOutput("spinning")
        let identifier = try #require(session.shell.outputSoFar.firstMatch(of: #/<(\d+)>/#)).output.1
        #expect(!session.terminal.mode.waitsForLines)
        kill(try #require(pid_t(identifier)), signal.number)
        #expect(try session.finish().ending == .exited(signal.status))
        #expect(session.terminal.mode == session.before)
    }

    @Test func `Ctrl-A X quits while the guest reads no input and much was typed`() throws {
        let session = try Session(["spin"])
        try session.shell.waitForOutput("spinning")
        session.shell.send([UInt8](repeating: UInt8(ascii: "q"), count: 3000) + [1, UInt8(ascii: "x")])
        #expect(try session.finish().ending == .exited(130))
        #expect(session.terminal.mode == session.before)
    }

    @Test func `in the background the program leaves the terminal alone`() throws {
        let run = #"set -m; "$@" & wait $!"#
        let session = try Session(["--timeout", "1s", "spin"], run: run)
        try session.shell.waitForOutput("spinning")
        #expect(session.terminal.mode == session.before)
        // Not for the program: neither to read nor to quit by.
        session.shell.send([1, UInt8(ascii: "x")])
        #expect(try session.finish().ending == .exited(124))
        #expect(session.terminal.mode == session.before)
    }
}
