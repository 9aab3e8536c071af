import Glibc
import TestSupport
import Testing
import VMHost
import VMMachine
import VMMigration
import VMState

@Suite(
    "Destinations that mean no good", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .serialized, .timeLimit(.minutes(10)))
struct HostileDestinationTests {
    /// What it does instead of what is due.
    enum Deviation: String, CaseIterable, Sendable {
        case nothing, closing, garbage, keepalives, wrongFrame, wrongMessage, early, abort, longFrame
    }

    /// When it does.
    enum Moment: String, CaseIterable, Sendable {
        case hello, accepted, round, ready
    }

    @Test(
        "Whatever a destination does before it has everything, the source keeps its guest",
        arguments: Moment.allCases, Deviation.allCases)
    func sourceKeepsGuest(_ moment: Moment, _ deviation: Deviation) throws {
        let guest = try smallDirtyGuest()
        let folder = try TemporaryFolder()
        let uri = try MigrationURI("unix:" + folder.path("socket"))
        let destination = try HostileDestination(uri, moment, deviation)
        let migration = try OutgoingMigration(
            guest.machine, to: uri,
            MigrationParameters(stallTimeout: .milliseconds(300), progressTimeout: .milliseconds(500)))
        let failure = Hop.failure { () throws(MigrationError) in try migration.run() }
        destination.end()
        let error = try #require(failure)
        #expect(error.isReadable)
        if case .inDoubt = error { Issue.record("\(error)") }
        if deviation == .keepalives {
            guard case .noProgress(by: .destination, _) = error else {
                Issue.record("\(error)")
                return
            }
        }
        #expect(migration.progress.status == .failed)
        guest.expectGoodEnd("\(moment), \(deviation)")
    }
}

/// A destination that follows the protocol up to a moment.
private final class HostileDestination: Sendable {
    private let moment: HostileDestinationTests.Moment
    private let deviation: HostileDestinationTests.Deviation
    private let thread = Monitor<pthread_t?>(nil)

    init(
        _ uri: MigrationURI, _ moment: HostileDestinationTests.Moment, _ deviation: HostileDestinationTests.Deviation
    ) throws {
        self.moment = moment
        self.deviation = deviation
        let listening = Listening(try Listener(uri))
        let started = try HostThread.start(stackSize: 1 << 20) { [self] in
            // Whatever fails here, the source has gone.
            guard let connection = try? listening.listener.accept(deadline: .now + .seconds(30)) else { return }
            connection.stallTimeout = .seconds(5)
            try? talk(connection)
        }
        thread.withLock { $0 = started }
    }

    private final class Listening: Sendable {
        let listener: Listener

        init(_ listener: consuming Listener) {
            self.listener = listener
        }
    }

    func end() {
        if let thread = thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
    }

    private func talk(_ connection: Connection) throws {
        var state = StreamState(.main)
        var reader = FrameReader(connection)
        var writer = FrameWriter(connection)
        let (hello, version) = try reader.next(&state).hello(from: .source)
        if moment == .hello { return try deviate(connection, &writer, &reader, &state) }
        try writer.send(hello.answer(version: version, program: "hostile", features: []))
        reader.seed = hello.migration.seed(channel: 0, from: .source)
        writer.seed = hello.migration.seed(channel: 0, from: .destination)
        _ = try reader.next(&state)
        if moment == .accepted { return try deviate(connection, &writer, &reader, &state) }
        try writer.send(.accepted)
        while true {
            let frame = try reader.next(&state)
            switch frame.type {
            case .roundEnd:
                if moment == .round { return try deviate(connection, &writer, &reader, &state) }
                try writer.send(RoundDone(round: try frame.message(RoundEnd.self).round))
            case .end: return try deviate(connection, &writer, &reader, &state)
            default: break
            }
        }
    }

    private func deviate(
        _ connection: Connection, _ writer: inout FrameWriter<Connection>, _ reader: inout FrameReader<Connection>,
        _ state: inout StreamState
    ) throws {
        switch deviation {
        case .closing: return
        case .nothing: break
        case .garbage: try send([UInt8](repeating: 0x5a, count: 64), connection)
        case .keepalives:
            // Until the source has gone.
            while true {
                try writer.send(.keepalive)
                usleep(50_000)
            }
        case .wrongFrame: try writer.send(Received(digest: 1))
        case .wrongMessage:
            // Of the type that is due, with what belongs into another.
            let types: [FrameType] = [.hello, .roundDone, .roundDone, .ready]
            let index = HostileDestinationTests.Moment.allCases.firstIndex(of: moment) ?? 0
            try writer.send(types[index], MachineState([Received(digest: 1).record()]))
        case .early: try writer.send(.running)
        case .abort: try writer.send(Abort(reason: "\u{1b}[2J no \u{7}"))
        case .longFrame:
            // A header that says more than any frame may have.
            try send(
                [0x56, 0x4d, 0x4d, 0x53, 34, 0, 0, 0, 0xff, 0xff, 0xff, 0xff] + [UInt8](repeating: 0, count: 20),
                connection)
        }
        // Until the source has gone.
        while true { _ = try reader.next(&state) }
    }

    private func send(_ bytes: [UInt8], _ connection: Connection) throws {
        try bytes.withUnsafeBytes { try connection.write($0) }
    }
}
