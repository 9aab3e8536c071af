import Glibc
import TestSupport
import Testing
import VMHost
import VMMachine
import VMMigration

/// Links that are lost as a guest changes hands: afterwards, one side has it.
@Suite(
    "Links lost as a guest changes hands", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .serialized, .timeLimit(.minutes(10)))
struct LostWordTests {
    /// Each frame from the last of memory on, and where it is cut.
    static let points: [Relay.Point] = [FrameType.state, .end, .ready, .commit, .running, .settled].flatMap { type in
        [Relay.Point.Place.firstByte, .headerMiddle, .lastByte, .after].map { Relay.Point(type: type, place: $0) }
    }

    /// Whether all of the source's word has reached the destination by then.
    private func isGiven(_ point: Relay.Point) -> Bool {
        switch point.type {
        case .commit: point.place == .after
        case .running, .settled: true
        default: false
        }
    }

    /// A guest that moves through a relay, over TCP.
    private func move(
        _ guest: LiveMachine, _ fault: Relay.Fault, at point: Relay.Point, cutsOff: Bool = false, _ hop: Hop,
        whileUnderWay body: @Sendable @escaping (Relay) -> Void = { _ in }
    ) throws -> Hop.Ends {
        let listening = try MigrationURI("tcp:127.0.0.1:\(try RelaySocket.freePort())")
        let relay = try Relay(fault, at: point, to: listening, cutsOff: cutsOff)
        defer { relay.end() }
        let helper = TestThread { body(relay) }
        let ends = Result { try hop.make(guest, at: listening, to: relay.uri) }
        helper.join()
        // The last word is nobody's to wait for: both sides may be done before it gets to the relay.
        let deadline = Deadline(.seconds(10))
        while !relay.hasStruck, !deadline.hasPassed { usleep(1000) }
        #expect(relay.hasStruck, "\(fault) at \(point)")
        return try ends.get()
    }

    @Test("Where the link comes back, both sides know who has the guest", arguments: points)
    func cut(_ point: Relay.Point) throws {
        let guest = try smallDirtyGuest()
        let ends = try move(guest, .cut, at: point, Hop())
        #expect(!ends.isInDoubt && (ends.arrived != nil) == isGiven(point), "\(point)")
        ends.owner(guest).expectGoodEnd("\(point)")
    }

    @Test(
        "Where the link is silent, the source asks over another, which ends the first",
        arguments: [FrameType.end, .ready, .commit, .running, .settled])
    func silent(_ type: FrameType) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop()
        hop.parameters.stallTimeout = .seconds(1)
        hop.destinationStallTimeout = .seconds(20)
        let point = Relay.Point(type: type, place: .firstByte)
        let ends = try move(guest, .silence, at: point, hop)
        #expect(!ends.isInDoubt && (ends.arrived != nil) == isGiven(point), "\(point)")
        ends.owner(guest).expectGoodEnd("\(point)")
    }

    @Test(
        "Where the link comes back after a while, the source has asked until then",
        arguments: [Relay.Point.Place.lastByte, .after])
    func comesBack(_ place: Relay.Point.Place) throws {
        let guest = try smallDirtyGuest()
        let point = Relay.Point(type: .commit, place: place)
        let ends = try move(guest, .cut, at: point, cutsOff: true, Hop(parameters: Self.patient)) { relay in
            let deadline = Deadline(.seconds(30))
            while !relay.hasStruck, !deadline.hasPassed { usleep(1000) }
            usleep(1_500_000)
            relay.repair()
        }
        #expect(!ends.isInDoubt && (ends.arrived != nil) == isGiven(point), "\(point)")
        ends.owner(guest).expectGoodEnd("\(point)")
    }

    @Test(
        "Who asks before it is decided hears it at the first try, when it is",
        arguments: [(Relay.Point.Place.firstByte, DestinationStage.readySent), (.after, .committed)])
    func firstTry(_ place: Relay.Point.Place, _ stage: DestinationStage) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop()
        let asked = Monitor(false)
        let between = Reference<Relay>()
        hop.onDestination = { reached, _ in
            guard reached == stage else { return }
            _ = asked.wait(until: .now.advanced(by: .seconds(30))) { $0 ? true : nil }
        }
        let point = Relay.Point(type: .commit, place: place)
        let ends = try move(guest, .cut, at: point, hop) { relay in
            between.set(relay)
            let deadline = Deadline(.seconds(30))
            while relay.connectionCount < 2, !deadline.hasPassed { usleep(1000) }
            // The question has been read by then.
            usleep(100_000)
            asked.change { $0 = true }
        }
        #expect(between.value.connectionCount == 2, "one link for the guest, and one for the question")
        #expect(!ends.isInDoubt && (ends.arrived != nil) == isGiven(point), "\(point)")
        ends.owner(guest).expectGoodEnd("\(point)")
    }

    private static let patient = MigrationParameters(
        downtimeLimit: .milliseconds(100), stallTimeout: .seconds(20), rejoinTimeout: .seconds(30))

    @Test(
        "Where the link never comes back, the source stands still, and the destination has the guest or nobody",
        arguments: [Relay.Point.Place.firstByte, .lastByte, .after])
    func neverComesBack(_ place: Relay.Point.Place) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop()
        hop.parameters.rejoinTimeout = .milliseconds(500)
        hop.answerTimeout = .seconds(1)
        let point = Relay.Point(type: .commit, place: place)
        let ends = try move(guest, .cut, at: point, cutsOff: true, hop)
        #expect(ends.isInDoubt && (ends.arrived != nil) == isGiven(point))
        #expect("\(String(describing: ends.source))".contains("stands still"))
        guard ends.arrived == nil else { return ends.owner(guest).expectGoodEnd() }
        // Its user knows that, who lets it go on.
        #expect(ends.destination != nil && guest.machine.resume())
        guest.expectGoodEnd()
    }

    @Test("The asking is given up where it is cancelled, and the source stands still")
    func cancelled() throws {
        let guest = try smallDirtyGuest()
        var hop = Hop(parameters: Self.patient)
        hop.answerTimeout = .seconds(1)
        let migration = Reference<OutgoingMigration>()
        hop.onSource = { if $0 == .setup { migration.set($1) } }
        let point = Relay.Point(type: .commit, place: .firstByte)
        let ends = try move(guest, .cut, at: point, cutsOff: true, hop) { relay in
            let deadline = Deadline(.seconds(30))
            while !relay.hasStruck, !deadline.hasPassed { usleep(1000) }
            while migration.value.progress.failure?.contains("asking") != true, !deadline.hasPassed { usleep(1000) }
            migration.value.cancel()
        }
        migration.clear()
        #expect(ends.isInDoubt && ends.arrived == nil && ends.progress.status == .failed)
        #expect(guest.machine.resume())
        guest.expectGoodEnd()
    }
}
