import Glibc
import TestSupport
import Testing
import VMMachine
import VMMigration

@Suite(
    "Places that no guest can move to", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .serialized, .timeLimit(.minutes(10)))
struct RefusalTests {
    @Test("The guest does not notice that it cannot be moved there, and the error says why")
    func impossiblePlaces() throws {
        let folder = try TemporaryFolder()
        let notASocket = try folder.file("file", [1])
        let cases: [(uri: String, words: String)] = [
            ("file:/nowhere/at/all", "ENOENT"), ("file:\(folder.path)", "EISDIR"),
            ("unix:\(folder.path("none"))", "nobody"),
            ("unix:\(notASocket)", "nobody"), ("tcp:127.0.0.1:1", "nobody"), ("fd:1000", "no such descriptor"),
            ("fd:\(open("/dev/full", O_WRONLY | O_CLOEXEC))", "full"),
            ("fd:\(open("/dev/null", O_RDONLY | O_CLOEXEC))", "not open for writing"),
        ]
        let guest = try smallDirtyGuest()
        for (uri, words) in cases {
            let migration = try OutgoingMigration(
                guest.machine, to: MigrationURI(uri),
                MigrationParameters(stallTimeout: .seconds(1), connectTimeout: .milliseconds(50)))
            let failure = Hop.failure { () throws(MigrationError) in try migration.run() }
            #expect("\(failure.map { "\($0)" } ?? "done")".contains(words), "\(uri): \(String(describing: failure))")
            #expect(migration.progress.status == .failed)
        }
        guest.expectGoodEnd()
    }

    @Test("A destination that cannot make such a machine says so to the source, which goes on")
    func destinationRefuses() throws {
        let guest = try smallDirtyGuest()
        var hop = Hop()
        hop.destination.kvmDevice = "/dev/null"
        let ends = try hop.make(guest)
        guard case .refused(by: .destination, let reason) = ends.source else {
            Issue.record("\(String(describing: ends.source))")
            return
        }
        #expect(reason.contains("/dev/null"))
        ends.owner(guest).expectGoodEnd()
    }

    @Test("A guest that ends while it is moved has ended, on one side")
    func guestEnds() throws {
        for stage in [SourceStage.accepted, .roundEnd] {
            let guest = try smallDirtyGuest()
            var hop = Hop()
            hop.onSource = { reached, _ in
                guard reached == stage else { return }
                guest.send("\u{4}")
                _ = guest.end
            }
            let ends = try hop.make(guest)
            guard case .guestEnded = ends.source else {
                Issue.record("\(String(describing: ends.source))")
                continue
            }
            #expect(ends.arrived == nil && guest.end.isGood && DirtyOutput.isUnbroken(guest.console.text))
        }
    }

    @Test("A machine is moved after attempts that failed as if there had been none", arguments: hostMethods)
    func repeated(_ method: MachineConfiguration.DirtyTracking) throws {
        let guest = try smallDirtyGuest { $0.dirtyTracking = method }
        for stage in SourceStage.allCases where stage != .committed {
            var hop = Hop()
            hop.onSource = { if $0 == stage { $1.cancel() } }
            let ends = try hop.make(guest)
            #expect(ends.arrived == nil)
        }
        let ends = try Hop().make(guest)
        #expect(ends.source == nil)
        ends.owner(guest).expectGoodEnd()
    }
}
