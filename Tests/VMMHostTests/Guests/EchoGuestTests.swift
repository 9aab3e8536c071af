import TestSupport
import Testing

/// Serial input: every byte arrives, once and in order, and wakes the guest where it sleeps.
@Suite(.needsKVM) struct EchoGuestTests {
    /// The machine's interrupt controllers, and whether the guest is told to poll although there are some.
    struct Mode: Sendable, CustomTestStringConvertible {
        let irqchip: String
        var arguments: [String] = []

        static let interrupts = [Mode(irqchip: "full"), Mode(irqchip: "split")]
        static let polling = [Mode(irqchip: "none"), Mode(irqchip: "full", arguments: ["--", "poll"])]
        static let all = interrupts + polling

        var flags: [String] { ["--irqchip", irqchip, "echo"] + arguments }
        var testDescription: String { flags.joined(separator: " ") }
    }

    private static let endOfTransmission: UInt8 = 4

    private func upperCase(_ bytes: [UInt8]) -> [UInt8] {
        bytes.map { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) ? $0 - 32 : $0 }
    }

    @Test(arguments: Mode.all)
    func `input comes back in upper case until EOT`(mode: Mode) throws {
        let typed = "Hello, World! 0123 [xyz] {äöü}\r\n"
        let run = try VMMProgram.run(["run"] + mode.flags, input: .bytes(Array("\(typed)\u{4}not this".utf8)))
        #expect(run == FinishedRun(.exited(0), output: upperCase(Array(typed.utf8))))
    }

    @Test(arguments: Mode.all)
    func `20 KiB of any bytes come back complete`(mode: Mode) throws {
        var bytes = (0..<20480).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        bytes = bytes.map { $0 == Self.endOfTransmission ? 5 : $0 }
        let run = try VMMProgram.run(["run"] + mode.flags, input: .bytes(bytes + [Self.endOfTransmission]))
        #expect(run.ending == .exited(0))
        #expect(run.errors == "")
        #expect(run.output.count == bytes.count)
        #expect(run.output == upperCase(bytes))
    }

    @Test(arguments: Mode.all)
    func `input that comes little by little wakes the guest each time`(mode: Mode) throws {
        let child = try VMMProgram.start(["run"] + mode.flags, input: .open)
        for word in ["one ", "two ", "three\n"] {
            child.send(word.utf8)
            try child.waitForOutput(word.uppercased())
        }
        child.send([Self.endOfTransmission])
        #expect(try child.finish() == FinishedRun(0, "ONE TWO THREE\n"))
    }

    @Test func `the end of the input does not end the guest`() throws {
        let children = try Mode.all.map { mode in
            try VMMProgram.start(["run", "--timeout", "1s"] + mode.flags, input: .bytes(Array("all of it".utf8)))
        }
        for child in children {
            let run = try child.finish()
            #expect(run.ending == .exited(124))
            #expect(run.text == "ALL OF IT")
        }
    }

    /// A guest that sleeps leaves the processor alone; what it does instead shows in how often it reads the line status.
    @Test func `without input the guest sleeps where it has interrupts`() throws {
        func portReads(_ modes: [Mode]) throws -> [UInt64] {
            let folder = try TemporaryFolder()
            let children = try modes.map { mode in
                let report = folder.path("\(mode.irqchip).json")
                return try VMMProgram.start(
                    ["run", "--report", report, "--timeout", "500ms"] + mode.flags, input: .open)
            }
            for child in children { #expect(try child.finish().ending == .exited(124)) }
            return try modes.map { try RunReport(folder.contents("\($0.irqchip).json")).exits["portRead"] ?? 0 }
        }
        for reads in try portReads(Mode.interrupts) { #expect(reads < 100) }
        for reads in try portReads(Mode.polling) { #expect(reads > 100) }
    }
}
