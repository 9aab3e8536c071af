import TestSupport
import Testing

@Suite(.needsKVM) struct DirtyGuestTests {
    private func run(_ flags: [String], _ arguments: [String]) throws -> FinishedRun {
        try VMMProgram.run(["run", "dirty"] + flags + ["--"] + arguments)
    }

    private static let endOfTransmission: UInt8 = 4

    private static let twoPasses = FinishedRun(0, "pass 1 ok\npass 2 ok\ndirty: 2 passes ok\n")

    @Test(arguments: ["sequential", "random", "hot"], ["full", "split", "none"])
    func `every pattern finds all it wrote`(pattern: String, irqchip: String) throws {
        let flags = ["-m", "64M", "--irqchip", irqchip]
        #expect(try run(flags, ["--set", "1M", "--pattern", pattern, "--passes", "2"]) == Self.twoPasses)
    }

    @Test func `it makes as many passes as it is told and reports as often`() throws {
        let reported = try run([], ["--set", "64K", "--passes", "6", "--report", "3"])
        #expect(reported == FinishedRun(0, "pass 3 ok\npass 6 ok\ndirty: 6 passes ok\n"))
        let silent = try run([], ["--set", "64K", "--passes", "6", "--report", "0"])
        #expect(silent == FinishedRun(0, "dirty: 6 passes ok\n"))
    }

    @Test func `it keeps to a rate`() throws {
        #expect(try run([], ["--set", "256K", "--rate", "10M", "--passes", "2"]) == Self.twoPasses)
    }

    /// Half of the set is below the hole for devices at 3 GiB, half of it above at 4 GiB.
    @Test func `memory on both sides of the hole below 4 GiB works`() throws {
        let arguments = ["--base", "3071M", "--set", "2M", "--passes", "2"]
        #expect(try run(["-m", "3076M"], arguments) == Self.twoPasses)
    }

    @Test func `passes that do not check are called written, and the end is checked all the same`() throws {
        let unchecked = FinishedRun(0, "pass 1 written\npass 2 written\ndirty: 2 passes ok\n")
        for pattern in ["sequential", "random", "hot"] {
            let arguments = ["--set", "1M", "--passes", "2", "--no-check", "--pattern", pattern]
            #expect(try run([], arguments) == unchecked)
            #expect(try run(["-c", "2"], arguments + ["--cpus", "2"]) == unchecked)
        }
    }

    @Test func `a set that does not fit the machine is refused by the guest`() throws {
        let refused = try run(["-m", "64M"], ["--set", "64M", "--passes", "1"])
        #expect(refused == FinishedRun(3, "dirty: --set 64M needs 16M + 64M of memory; the machine has 64M\n"))
    }

    @Test(
        arguments: [
            (["--set", "what"], "--set what is not a size, such as 64M"),
            (["--cpus", "0"], "--cpus 0 is not a number of CPUs"),
            (["--cpus", "two"], "--cpus two is not a number of CPUs"),
            (["--cpus"], "--cpus lacks a value"),
            (["--cpus", "3"], "--cpus 3 needs as many CPUs; the machine has 2"),
            (["--cpus", "18446744073709551615"], "--cpus 18446744073709551615 needs as many CPUs; the machine has 2"),
            (["--set", "4K", "--cpus", "2"], "--cpus 2 needs a page for each; --set 4K has 1"),
        ] as [([String], String)])
    func `an option that cannot be met is named`(arguments: [String], message: String) throws {
        #expect(try run(["-c", "2"], arguments) == FinishedRun(3, "dirty: \(message)\n"))
    }

    // MARK: Several CPUs

    @Test(arguments: ["sequential", "random", "hot"], ["full", "split"])
    func `two CPUs find all they wrote`(pattern: String, irqchip: String) throws {
        let arguments = ["--set", "1M", "--pattern", pattern, "--passes", "2", "--cpus", "2"]
        #expect(try run(["-c", "2", "--irqchip", irqchip], arguments) == Self.twoPasses)
    }

    /// 7 pages are 2, 2, 2 and 1; 4 are one for each.
    @Test(arguments: ["sequential", "random", "hot"], ["28K", "16K"])
    func `a set that does not divide evenly is shared all the same`(pattern: String, set: String) throws {
        let arguments = ["--set", set, "--pattern", pattern, "--passes", "20", "--report", "10", "--cpus", "4"]
        let expected = FinishedRun(0, "pass 10 ok\npass 20 ok\ndirty: 20 passes ok\n")
        #expect(try run(["-c", "4"], arguments) == expected)
    }

    @Test func `CPUs that share a rate keep to it`() throws {
        let arguments = ["--set", "256K", "--rate", "10M", "--passes", "2", "--cpus", "2"]
        #expect(try run(["-c", "2"], arguments) == Self.twoPasses)
    }

    @Test func `CPUs that do not take part stay where they are`() throws {
        let arguments = ["--set", "64K", "--passes", "2", "--cpus", "2"]
        #expect(try run(["-c", "4"], arguments) == Self.twoPasses)
    }

    /// Of 3 shares the second has pages on both sides.
    @Test func `a share on both sides of the hole below 4 GiB works`() throws {
        let arguments = ["--base", "3071M", "--set", "2M", "--passes", "2", "--cpus", "3"]
        #expect(try run(["-m", "3076M", "-c", "3"], arguments) == Self.twoPasses)
    }

    // MARK: The end

    @Test(arguments: [1, 2], [[], ["--no-check"]])
    func `EOT ends it after a whole pass`(cpus: Int, flags: [String]) throws {
        let child = try VMMProgram.start(
            ["run", "-c", "\(cpus)", "dirty", "--", "--set", "1M", "--rate", "20M", "--cpus", "\(cpus)"] + flags,
            input: .open)
        try child.waitForOutput("pass 2 ")
        child.send("not yet".utf8)
        try child.waitForOutput("pass 4 ")
        child.send([Self.endOfTransmission])
        let run = try child.finish()

        let passes = run.text.split(separator: "\n").count - 1
        let result = flags.isEmpty ? "ok" : "written"
        let lines = (1...max(passes, 4)).map { "pass \($0) \(result)\n" }.joined()
        #expect(run == FinishedRun(0, lines + "dirty: \(passes) passes ok\n"))
    }

    @Test(arguments: [1, 2])
    func `EOT that is there before the guest starts is not lost`(cpus: Int) throws {
        let input = Array("not this".utf8) + [Self.endOfTransmission]
        let arguments = ["--set", "1M", "--rate", "20M", "--report", "0", "--cpus", "\(cpus)"]
        let run = try VMMProgram.run(
            ["run", "-c", "\(cpus)", "dirty", "--"] + arguments, input: .bytes(input))
        #expect(run.ending == .exited(0))
        #expect(run.text.hasPrefix("dirty: ") && run.text.hasSuffix(" passes ok\n"))
        #expect(run.text != "dirty: 0 passes ok\n")
    }
}
