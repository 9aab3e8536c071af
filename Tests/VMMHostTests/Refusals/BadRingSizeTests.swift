import TestSupport
import Testing

/// Sizes that no dirty ring can have, by flag and by key.
@Suite struct BadRingSizeTests {
    @Test(arguments: [
        "1000", "2", "1", "0", "-4096", "512", "-9223372036854775808", "4097", "131072", "4294967296",
        "4611686018427387904",
    ])
    func `a size that is no power of two, too small or too large is refused`(size: String) throws {
        let run = try VMMProgram.run(["run", "--dirty-tracking", "ring", "--dirty-ring-size=\(size)", "hello"])
        expectRefusal(run, 64, ["--dirty-ring-size", "\(size) entries", "power of two", "1024 to 65536", "4096"])
        try expectRefused(
            #""dirtyTracking": "ring", "dirtyRingSize": \#(size)"#,
            ["dirtyRingSize", "power of two", "1024 to 65536", "4096"])
    }

    @Test(arguments: ["auto", "log", "manual", "off"])
    func `a size without rings is refused`(method: String) throws {
        let run = try VMMProgram.run(["run", "--dirty-tracking", method, "--dirty-ring-size", "4096", "hello"])
        expectRefusal(run, 64, ["--dirty-ring-size", "by \(method)", "choose ring"])
        try expectRefused(
            #""dirtyTracking": "\#(method)", "dirtyRingSize": 4096"#, ["dirty", "by \(method)", "choose ring"])
    }

    /// Expects that the members are refused in a configuration, whether they are found wrong by themselves or together.
    private func expectRefused(
        _ members: String, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("machine.json", #"{"guest": "hello", \#(members)}"#)
        expectRefusal(try VMMProgram.run(["run", "--config", file]), 64, words, sourceLocation: sourceLocation)
    }
}
