import Glibc
import TestSupport
import Testing

/// `vmm run --migrate-to` and `vmm receive`.
@Suite(.needsKVM, .serialized, .timeLimit(.minutes(10))) struct MigrationCommandTests {
    private static let guest = ["--", "--set", "1M", "--rate", "40M"]

    private func startSource(_ uri: String, _ options: [String] = []) throws -> ChildProcess {
        try VMMProgram.start(
            ["run", "dirty", "-m", "32M", "--migrate-to", uri, "--migrate-after", "200ms"] + options + Self.guest,
            input: .open)
    }

    @Test(
        "A guest goes on in another process, and the two outputs are one",
        arguments: [[], ["--multifd-channels", "4"], ["--io", "plain"], ["--dirty-tracking", "ring"]])
    func goesOn(_ options: [String]) throws {
        try expectMove(sending: options)
    }

    @Test("A guest comes to memory that is ready, whether there is enough for it or not", arguments: ["64M", "8M"])
    func preallocated(_ size: String) throws {
        try expectMove(receiving: ["--preallocate", size])
    }

    /// A guest goes on at a destination without a gap, and nothing is left of the socket.
    private func expectMove(sending: [String] = [], receiving: [String] = []) throws {
        let folder = try TemporaryFolder()
        let uri = "unix:" + folder.path("socket")
        let destination = try VMMProgram.start(["receive", uri] + receiving, input: .open)
        let here = try startSource(uri, sending).finish()
        #expect(here.ending == .exited(0) && here.errors.contains("migration completed"), "\(here)")
        try destination.waitForOutput("ok\n")
        destination.send(MigrationPair.endOfTransmission)
        let there = try destination.finish()
        #expect(there.ending == .exited(0) && there.errors.isEmpty, "\(there)")
        #expect(isUnbroken(here.text + there.text), "\(here.text)|\(there.text)")
        #expect(try TemporaryFolder.entries(folder.path).isEmpty, "the socket was left behind")
    }

    @Test("A guest that was moved into a file goes on from there, as often as one likes")
    func file() throws {
        let folder = try TemporaryFolder()
        let uri = "file:" + folder.path("guest")
        let here = try startSource(uri).finish()
        #expect(here.ending == .exited(0), "\(here)")
        for _ in 0..<2 {
            let destination = try VMMProgram.start(["receive", uri], input: .open)
            try destination.waitForOutput("ok\n")
            destination.send(MigrationPair.endOfTransmission)
            let there = try destination.finish()
            #expect(there.ending == .exited(0) && isUnbroken(here.text + there.text), "\(here.text)|\(there)")
        }
    }

    @Test("A guest that cannot be moved runs on, and its source says why")
    func runsOn() throws {
        let source = try startSource("file:/nowhere/at/all")
        try source.waitForOutput("pass")
        usleep(400_000)
        try source.waitForOutput("ok\n")
        source.send(MigrationPair.endOfTransmission)
        let run = try source.finish()
        #expect(run.ending == .exited(0) && isUnbroken(run.text), "\(run)")
        #expect(run.errors.contains("the guest ran on here") && run.errors.contains("ENOENT"), "\(run)")
    }

    @Test("What can be known before a guest runs, or comes, is not waited for")
    func knownBefore() throws {
        let folder = try TemporaryFolder()
        let there = try folder.file("there", "precious")
        let snapshot = ["snapshot", "--after", "600s", "--output"]
        expectRefusal(try VMMProgram.run(snapshot + [there, "hello"]), 73, ["there", "--overwrite"])
        _ = try folder.file("next.1", "precious")
        expectRefusal(
            try VMMProgram.run(snapshot + [folder.path("next"), "--count", "2", "hello"]), 73,
            ["next.1", "--overwrite"])
        expectRefusal(try VMMProgram.run(snapshot + [folder.path("none/a"), "hello"]), 73, ["--output", "none"])
        expectRefusal(
            try VMMProgram.run(["receive", "--kvm-device", folder.path("kvm"), "unix:" + folder.path("socket")]), 69,
            ["kvm"])
        let socket = folder.path("socket")
        expectRefusal(
            try VMMProgram.run(["receive", "--preallocate", "64T", "unix:" + socket]), 71,
            ["--preallocate 64T", "available"])
        #expect(access(socket, F_OK) != 0)
        #expect(try folder.contents("there") == Array("precious".utf8))
    }

    @Test("A stream that is none is refused, and so is one that ends early")
    func badStreams() throws {
        let folder = try TemporaryFolder()
        let noise = try folder.file("noise", (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 37) })
        expectRefusal(
            try VMMProgram.run(["receive", "file:\(noise)"]), 65, ["no guest was received", "not how a frame"])
        let empty = try folder.file("empty", [])
        expectRefusal(
            try VMMProgram.run(["receive", "file:\(empty)"]), 71, ["no guest was received", "ended after 0"])
    }

    @Test("A destination that is told to end before a guest has come leaves no socket", arguments: [SIGINT, SIGTERM])
    func interrupted(_ signal: Int32) throws {
        let folder = try TemporaryFolder()
        let destination = try VMMProgram.start(["receive", "unix:" + folder.path("socket")])
        while try TemporaryFolder.entries(folder.path).isEmpty { usleep(1000) }
        usleep(20_000)
        destination.send(signal: signal)
        let run = try destination.finish()
        #expect(run.ending == .exited(128 + signal) && run.errors.contains("cancelled"), "\(run)")
        #expect(try TemporaryFolder.entries(folder.path).isEmpty)
    }
}
