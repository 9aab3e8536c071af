import Glibc
import TestSupport
import Testing
import VMMigration

/// Processes that are killed in post-copy.
@Suite(
    "Processes killed in post-copy", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct KilledProcessTests {
    /// Two processes, the guest at the second, and a link between them that is broken.
    private struct Pair {
        let source: ChildProcess
        let destination: ChildProcess
        let link: CutLink
        let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
            let path = folder.path("socket")
            destination = try VMMProgram.start(["receive", "unix:\(path)", "--recover-timeout", "1s"])
            while access(path, F_OK) != 0 { usleep(1000) }
            link = try CutLink(to: path, cutAfter: [4 << 20], breaks: true)
            source = try VMMProgram.start([
                "run", "dirty", "--memory", "128M", "--migrate-to", link.uri.description, "--migrate-after", "500ms",
                "--postcopy", "--", "--set", "64M", "--pattern", "random",
            ])
            let deadline = Deadline(.seconds(60))
            while link.cuts == 0, !deadline.hasPassed { usleep(1000) }
            #expect(link.cuts == 1)
        }
    }

    @Test("Where the source is killed, the destination says that the guest is lost, and how many pages it lacks")
    func source() throws {
        let pair = try Pair()
        pair.source.send(signal: SIGKILL)
        _ = try pair.source.finish()
        let run = try pair.destination.finish()
        #expect(run.ending == .exited(71), "\(run)")
        #expect(run.errors.contains("the guest is lost: "), "\(run.errors)")
        pair.link.end()
    }

    @Test("Where the destination is killed, the source keeps trying until it is told to stop, and says what is lost")
    func destination() throws {
        let pair = try Pair()
        pair.destination.send(signal: SIGKILL)
        _ = try pair.destination.finish()
        pair.link.repair()
        usleep(500_000)
        pair.source.send(signal: SIGINT)
        let run = try pair.source.finish()
        #expect(run.ending == .exited(71), "\(run)")
        #expect(run.errors.contains("the guest is lost: "), "\(run.errors)")
        #expect(!run.errors.contains("ran on here"))
        pair.link.end()
    }

    @Test("Where the link comes back, the guest goes on as if nothing had happened")
    func repair() throws {
        let pair = try Pair()
        usleep(300_000)
        pair.link.repair()
        let source = try pair.source.finish()
        #expect(source.ending == .exited(0), "\(source)")
        pair.destination.send(signal: SIGTERM)
        let run = try pair.destination.finish()
        #expect(run.ending == .exited(128 + SIGTERM), "\(run)")
        #expect(!run.text.contains("CORRUPT"))
        pair.link.end()
    }
}
