import Glibc
import TestSupport
import Testing

/// Files that a guest is written to, on a disk that has no room for it.
@Suite(
    .needsKVM, .serialized, .timeLimit(.minutes(10)),
    .enabled(if: SmallDisk.isUsable, "needs to mount a tmpfs, which this user may not"))
struct DiskFullTests {
    private static let guest = [
        "--after", "200ms", "-m", "32M", "dirty", "--", "--set", "8M", "--rate", "40M", "--pattern", "random",
    ]

    @Test("A snapshot that does not fit leaves no file, and its command says so")
    func snapshot() throws {
        let disk = try #require(try SmallDisk(bytes: 1 << 20))
        let run = try VMMProgram.run(["snapshot", "--output", disk.folder.path("guest")] + Self.guest)
        #expect(run.ending == .exited(73) && isWhole(run.text), "\(run)")
        expectErrorLine(run, ["no snapshot", "the disk is full (ENOSPC)"])
        #expect(try TemporaryFolder.entries(disk.folder.path).isEmpty)
    }

    @Test("With --keep-running, the guest goes on without it, and the next snapshot is tried")
    func keepRunning() throws {
        let disk = try #require(try SmallDisk(bytes: 1 << 20))
        let child = try VMMProgram.start(
            ["snapshot", "--keep-running", "--count", "2", "--every", "200ms", "--output", disk.folder.path("guest")]
                + Self.guest, input: .open)
        for _ in 0..<6 { try child.waitForOutput("ok\n") }
        usleep(1_500_000)
        try child.waitForOutput("ok\n")
        child.send(MigrationPair.endOfTransmission)
        let run = try child.finish()
        #expect(run.ending == .exited(73) && isUnbroken(run.text), "\(run)")
        #expect(run.errorLines.filter { $0.contains("the disk is full (ENOSPC)") }.count == 2, "\(run)")
        #expect(try TemporaryFolder.entries(disk.folder.path).isEmpty)
    }

    @Test(
        "A guest that is to move into a file that it does not fit runs on, and no file is left",
        arguments: ["ring", "plain"])
    func migration(_ backend: String) throws {
        let disk = try #require(try SmallDisk(bytes: 1 << 20))
        let child = try VMMProgram.start(
            [
                "run", "dirty", "-m", "32M", "--io", backend, "--migrate-to", "file:" + disk.folder.path("guest"),
                "--migrate-after", "200ms", "--", "--set", "8M", "--rate", "40M", "--pattern", "random",
            ], input: .open)
        for _ in 0..<6 { try child.waitForOutput("ok\n") }
        usleep(1_500_000)
        try child.waitForOutput("ok\n")
        child.send(MigrationPair.endOfTransmission)
        let run = try child.finish()
        #expect(run.ending == .exited(0) && isUnbroken(run.text), "\(run)")
        #expect(run.errors.contains("the disk or the quota is full (ENOSPC)"), "\(run)")
        #expect(run.errors.contains("the guest ran on here"), "\(run)")
        #expect(try TemporaryFolder.entries(disk.folder.path).isEmpty)
    }

    /// Whether nothing but passes without a fault is in what the guest has printed.
    private func isWhole(_ text: String) -> Bool {
        text.split(separator: "\n").allSatisfy { $0.hasPrefix("pass ") || $0.hasPrefix("dirty: ") }
            && !text.contains("CORRUPT")
    }
}
