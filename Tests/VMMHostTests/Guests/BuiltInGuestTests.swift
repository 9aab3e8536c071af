import TestSupport
import Testing

@Suite(.needsKVM) struct BuiltInGuestTests {
    private func run(_ arguments: String...) throws -> FinishedRun {
        try VMMProgram.run(["run"] + arguments)
    }

    @Test(arguments: ["hello", "hello16", "hello32"], ["full", "split", "none"])
    func `hello prints its line and nothing else`(guest: String, irqchip: String) throws {
        #expect(try run(guest, "--irqchip", irqchip) == FinishedRun(0, "hello, world\n"))
    }

    @Test(arguments: [0, 1, 2, 3, 5, 10, 31, 32, 42, 63, 64, 77, 100, 126, 127])
    func `exit ends with twice its argument plus one`(value: Int32) throws {
        #expect(try run("exit", "--", "\(value)") == FinishedRun((value << 1 | 1) & 255, ""))
    }

    @Test(arguments: [("128", 1), ("255", 255), ("0x10", 33), ("4294967295", 255)] as [(String, Int32)])
    func `exit with more than the status has room for keeps the lowest bits`(value: String, status: Int32) throws {
        #expect(try run("exit", "--", value) == FinishedRun(status, ""))
    }

    @Test func `exit without an argument switches the machine off`() throws {
        #expect(try run("exit") == FinishedRun(0, ""))
    }

    @Test func `exit with an argument it cannot use says how to use it`() throws {
        #expect(try run("exit", "--", "three") == FinishedRun(3, "usage: exit [VALUE]\n"))
    }

    @Test(arguments: [1, 2, 4], ["full", "split"])
    func `smp brings every CPU up`(count: Int, irqchip: String) throws {
        let lines = (0..<count).map { "cpu \($0): online\n" }.joined()
        let expected = FinishedRun(0, lines + "smp: \(count) cpus online\n")
        #expect(try run("smp", "-c", "\(count)", "--irqchip", irqchip) == expected)
    }

    @Test(arguments: ["full", "split"])
    func `timer counts its ticks`(irqchip: String) throws {
        let three = FinishedRun(0, "tick 1\ntick 2\ntick 3\ntimer: 3 ticks\n")
        #expect(try run("timer", "--irqchip", irqchip, "--", "3") == three)
        let ten = (1...10).map { "tick \($0)\n" }.joined()
        #expect(try run("timer", "--irqchip", irqchip) == FinishedRun(0, ten + "timer: 10 ticks\n"))
    }

    @Test(arguments: ["smp", "timer"])
    func `guests that need a local APIC say that there is none`(guest: String) throws {
        let expected = FinishedRun(3, "\(guest): this machine has no local APIC\n")
        #expect(try run(guest, "--irqchip", "none") == expected)
    }

    @Test(arguments: [[], ["--", "user"]])
    func `spin is stopped when its time is up`(arguments: [String]) throws {
        let stopped = try VMMProgram.run(["run", "--timeout", "1s", "spin"] + arguments)
        #expect(stopped.ending == .exited(124))
        #expect(stopped.text == "spinning\n")
        expectErrorLine(stopped, ["longer than 1s", "--timeout"])
    }
}
