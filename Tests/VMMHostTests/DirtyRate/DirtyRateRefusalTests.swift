import TestSupport
import Testing

@Suite struct DirtyRateRefusalTests {
    static let refusals = [
        Refusal(["dirty-rate"], ["no GUEST"]),
        Refusal(["dirty-rate", "--mode", "guess", "dirty"], ["--mode", "guess", "page-sampling", "dirty-ring"]),
        Refusal(["dirty-rate", "--interval", "999us", "dirty"], ["--interval", "millisecond"]),
        Refusal(["dirty-rate", "--interval", "0.5ms", "dirty"], ["--interval", "millisecond"]),
        Refusal(["dirty-rate", "--interval", "0", "dirty"], ["--interval", "millisecond"]),
        Refusal(["dirty-rate", "--interval", "soon", "dirty"], ["--interval", "100ms"]),
        Refusal(["dirty-rate", "--interval", "nan", "dirty"], ["--interval"]),
        Refusal(["dirty-rate", "--count", "0", "dirty"], ["--count", "0"]),
        Refusal(["dirty-rate", "--count", "-1", "dirty"], ["--count"]),
        Refusal(["dirty-rate", "--count", "99999999999999999999", "dirty"], ["--count"]),
        Refusal(["dirty-rate", "--mode", "page-sampling", "--sample-pages", "0", "dirty"], ["--sample-pages", "0"]),
        Refusal(
            ["dirty-rate", "--mode", "page-sampling", "--sample-pages", "262145", "dirty"],
            ["--sample-pages", "262145", "262144"]),
        Refusal(["dirty-rate", "--sample-pages", "512", "dirty"], ["--sample-pages", "--mode page-sampling"]),
        Refusal(
            ["dirty-rate", "--mode", "dirty-bitmap", "--dirty-tracking", "ring", "dirty"],
            ["--dirty-tracking ring", "--mode dirty-ring"]),
        Refusal(
            ["dirty-rate", "--dirty-tracking", "off", "dirty"], ["--dirty-tracking off", "--mode page-sampling"]),
        Refusal(
            ["dirty-rate", "--mode", "dirty-ring", "--dirty-tracking", "manual", "dirty"],
            ["--dirty-tracking manual", "--mode dirty-bitmap"]),
        Refusal(
            ["dirty-rate", "--mode", "dirty-ring", "--dirty-tracking", "off", "dirty"],
            ["--dirty-tracking off", "--mode page-sampling"]),
        Refusal(
            ["dirty-rate", "--mode", "page-sampling", "--dirty-tracking", "log", "dirty"],
            ["--dirty-tracking log", "--mode dirty-bitmap"]),
        Refusal(["dirty-rate", "--dirty-ring-size", "4096", "dirty"], ["--dirty-ring-size"]),
        Refusal(["dirty-rate", "dirty", "--rate", "20M"], ["--rate"]),
        Refusal(["dirty-rate", "dirty", "surplus"], ["surplus", "go after --"]),
        Refusal(
            ["dirty-rate", "--guest-output", "/no/such/folder/file", "dirty"], 73,
            ["--guest-output", "/no/such/folder/file"]),
        Refusal(["dirty-rate", "--guest-output", "/", "dirty"], 73, ["--guest-output", "cannot write /"]),
        Refusal(["dirty-rate", "no-such-guest"], 66, ["no-such-guest"]),
    ]

    @Test(arguments: refusals)
    func `what cannot be is refused before anything runs`(refusal: Refusal) throws {
        expectRefusal(try VMMProgram.run(refusal.arguments), refusal.status, refusal.words)
    }

    @Test func `a full device is told of, and ends the run`() throws {
        let run = try VMMProgram.run(["dirty-rate", "--no-baseline", "--guest-output", "/dev/full", "spin"])
        expectErrorLine(run, ["--guest-output", "/dev/full"])
        #expect(run.ending == .exited(74))
    }
}
