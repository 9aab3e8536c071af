import TestSupport
import Testing

@Suite(.needsKVM) struct DirtyGuestTests {
    private func run(_ flags: [String], _ arguments: [String]) throws -> FinishedRun {
        try VMMProgram.run(["run", "dirty"] + flags + ["--"] + arguments)
    }

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

    @Test func `a set that does not fit the machine is refused by the guest`() throws {
        let refused = try run(["-m", "64M"], ["--set", "64M", "--passes", "1"])
        #expect(refused == FinishedRun(3, "dirty: --set 64M needs 16M + 64M of memory; the machine has 64M\n"))
    }
}
