import Glibc
import TestSupport
import Testing

@testable import VMMigration

@Suite(
    "Processes at the other end of a link", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .timeLimit(.minutes(10)))
struct PeerProcessTests {
    @Test("The end of a peer is known where it has named itself, and of nobody else")
    func endings() throws {
        let folder = try TemporaryFolder()
        let uri = try MigrationURI("unix:" + folder.path("socket"))
        let process = try VMMProgram.start(["receive", uri.description])
        let connection = try Connection.connect(uri, deadline: .now + .seconds(30))
        let scope = ProcessName.own.split(separator: "/").dropLast().joined(separator: "/")
        let name = "\(scope)/\(process.identifier)"
        let named = PeerProcess(connection, named: name)
        let relayed = PeerProcess(connection, named: ProcessName.own)
        let unnamed = PeerProcess(connection, named: "")
        let early = named.hasEnded(within: .zero)
        #expect(!early)
        process.send(signal: SIGKILL)
        let ends = (
            named.hasEnded(within: .seconds(30)), relayed.hasEnded(within: .zero), unnamed.hasEnded(within: .zero)
        )
        #expect(ends.0 && !ends.1 && !ends.2)
        // Its number may be another's by now.
        let late = PeerProcess(connection, named: name).hasEnded(within: .zero)
        #expect(!late)
        _ = try process.finish()
    }
}
