import Glibc
import TestSupport
import Testing
import VMHost
import VMMachine
import VMMigration

/// Those who connect to a destination and are no source.
@Suite(
    "Visitors that are no source", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct StrayVisitorTests {
    /// What a visitor does.
    enum Manner: String, CaseIterable, Sendable {
        /// As a port scan or a health check does.
        case closes
        /// As one who has found a server of another kind.
        case talksOtherwise
        case isSilent
        /// The first half of a hello, and then nothing.
        case stopsMidway
        /// A hello that was damaged on its way.
        case isDamaged
        /// A program of another age.
        case isOfAnotherVersion
        /// One that looks for a guest that is not here.
        case asks
        case returns
        /// The second channel of nobody's migration.
        case isExtra

        var bytes: [UInt8] {
            switch self {
            case .closes, .isSilent: []
            case .talksOtherwise: Array("GET / HTTP/1.1\r\n\r\n".utf8)
            case .stopsMidway: Array(Self.hello().prefix(40))
            case .isDamaged: Self.hello().dropLast() + [0x5a]
            case .isOfAnotherVersion: Self.hello { $0.versions = ProtocolVersions(90...91) }
            case .asks: Self.hello { $0.features = ["question"] }
            case .returns: Self.hello { $0.features = ["postcopy", "recover"] }
            case .isExtra:
                Self.hello {
                    $0.channelCount = 2
                    $0.channel = 1
                }
            }
        }

        private static func hello(_ change: (inout Hello) -> Void = { _ in }) -> [UInt8] {
            var hello = Hello(side: .source, program: "visitor", migration: .random())
            change(&hello)
            let sink = RecordingSink()
            var writer = FrameWriter(sink)
            try? writer.send(hello)
            return sink.bytes
        }

        /// Whether he goes without being sent away.
        var leaves: Bool { self == .closes }
    }

    private struct Scene {
        let incoming: IncomingMigration
        let notices: Notices
        let address: RelaySocket.Address
        private let folder: TemporaryFolder

        init(_ transport: Hop.Transport, progressTimeout: Duration = .seconds(300)) throws {
            folder = try TemporaryFolder()
            let notices = Notices()
            self.notices = notices
            incoming = try IncomingMigration(
                at: MigrationURI(transport == .tcp ? "tcp:127.0.0.1:0" : "unix:" + folder.path("socket")),
                stallTimeout: .seconds(20), progressTimeout: progressTimeout, onNotice: { notices.add($0) })
            address = try RelaySocket.Address(incoming.uri)
        }

        func visit(_ manner: Manner) throws -> OpenSocket {
            let descriptor = try RelaySocket.connected(to: address)
            #expect(RelaySocket.writeAll(manner.bytes[...], to: descriptor))
            if manner.leaves { shutdown(descriptor, CInt(SHUT_RDWR)) }
            return OpenSocket(descriptor)
        }
    }

    @Test(
        "Whoever comes before the source is reported, and the guest arrives nevertheless",
        arguments: [Hop.Transport.unix, .tcp])
    func before(_ transport: Hop.Transport) throws {
        let guest = try smallDirtyGuest()
        let scene = try Scene(transport)
        let arrival = try Arrival(
            scene.incoming, MachineConfiguration.Restoring(timeout: LiveMachine.timeout), guest.console, EndedSides())
        let visitors = try Manner.allCases.map { try scene.visit($0) }
        let migration = try OutgoingMigration(guest.machine, to: scene.incoming.uri)
        let failure = Hop.failure { () throws(MigrationError) in try migration.run() }
        // Those who say nothing keep nobody waiting: they are there still.
        for words in ["nothing was said", "did not come to an end"] {
            #expect(!scene.notices.lines.contains { $0.contains(words) }, "\(scene.notices.lines)")
        }
        let ends = arrival.end(Hop.Ends(source: failure, progress: migration.progress))
        #expect(ends.source == nil && ends.destination == nil)
        let told = scene.notices.lines.joined(separator: "\n")
        #expect(scene.notices.lines.count >= Manner.allCases.count - 2, "\(told)")
        for words in ["no migration", "without a word", "version", "is not here", "main channel", "checksum"] {
            #expect(told.contains(words), "\(words): \(told)")
        }
        ends.owner(guest).expectGoodEnd()
        withExtendedLifetime(visitors) {}
    }

    @Test("One who says nothing is sent away after some seconds, and one who says too little")
    func silent() throws {
        let scene = try Scene(.tcp)
        let visitors = try [scene.visit(.isSilent), scene.visit(.stopsMidway)]
        let guest = try smallDirtyGuest()
        let arrival = try Arrival(
            scene.incoming, MachineConfiguration.Restoring(timeout: LiveMachine.timeout), guest.console, EndedSides())
        let deadline = Deadline(.seconds(30))
        while scene.notices.lines.count < 2, !deadline.hasPassed { usleep(1000) }
        #expect(Set(scene.notices.lines.map { $0.suffix(20) }).count == 2)
        for visitor in visitors {
            var byte: UInt8 = 0
            #expect(recv(visitor.number, &byte, 1, 0) <= 0)
        }
        scene.incoming.cancel()
        let ends = arrival.end(Hop.Ends(progress: MigrationProgress()))
        if case .cancelled = ends.destination {} else { Issue.record("\(String(describing: ends.destination))") }
        guest.expectGoodEnd()
    }

    @Test("A second source that comes while a guest arrives is told so, and the first goes on", arguments: [1, 3])
    func second(_ channels: Int) throws {
        let guest = try smallDirtyGuest()
        let other = try smallDirtyGuest()
        let refusal = Monitor<MigrationError?>(nil)
        var hop = Hop(transport: .tcp)
        hop.parameters.channels = channels
        hop.onSource = { stage, migration in
            guard stage == .accepted, let rival = try? OutgoingMigration(other.machine, to: migration.uri) else {
                return
            }
            let failure = Hop.failure { () throws(MigrationError) in try rival.run() }
            refusal.withLock { $0 = failure }
        }
        let ends = try hop.make(guest)
        #expect(ends.source == nil)
        let told = refusal.withLock(\.self)
        guard case .refused(by: .destination, let reason) = told else {
            Issue.record("\(String(describing: told))")
            return
        }
        #expect(reason.contains("another guest"))
        ends.owner(guest).expectGoodEnd()
        other.expectGoodEnd()
    }

    @Test("A source that says for ever only that it is there is given up", arguments: [Hop.Transport.unix, .tcp])
    func keepalives(_ transport: Hop.Transport) throws {
        let scene = try Scene(transport, progressTimeout: .milliseconds(300))
        let ending = Monitor(false)
        let uri = scene.incoming.uri
        let source = TestThread {
            guard let connection = try? Connection.connect(uri, deadline: .now + .seconds(10)) else { return }
            var writer = FrameWriter(connection)
            let hello = Hello(side: .source, program: "idler", migration: .random())
            guard (try? writer.send(hello)) != nil else { return }
            writer.seed = hello.migration.seed(channel: 0, from: .source)
            while !ending.withLock(\.self), (try? writer.send(.keepalive)) != nil { usleep(20_000) }
        }
        let failure = Hop.failure { () throws(MigrationError) in
            _ = try scene.incoming.receive { (_) throws(MachineError) in throw .notPaused }
        }
        ending.withLock { $0 = true }
        source.join()
        guard case .noProgress(by: .source, _) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }
}

/// Closed with its last reference.
private final class OpenSocket {
    let number: CInt

    init(_ number: CInt) {
        self.number = number
    }

    deinit {
        close(number)
    }
}

/// What a destination says to people.
private final class Notices: Sendable {
    private let kept = Monitor<[String]>([])

    var lines: [String] { kept.withLock(\.self) }

    func add(_ line: String) {
        kept.withLock { $0.append(line) }
    }
}
