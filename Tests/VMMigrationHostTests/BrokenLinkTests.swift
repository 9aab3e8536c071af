import Glibc
import TestSupport
import Testing
import VMMachine
import VMMigration

/// What becomes of a guest when somebody between the two sides loses or damages what they say.
@Suite(
    "Links that break", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct BrokenLinkTests {
    /// Every place of frames that have much in them or decide something, and both ends of the others.
    static let points: [Relay.Point] = {
        let thorough: [FrameType] = [.hello, .description, .memory, .state, .commit, .running]
        let others: [FrameType] = [.roundEnd, .end, .accepted, .roundDone, .ready]
        return thorough.flatMap { type in Relay.Point.Place.allCases.map { Relay.Point(type: type, place: $0) } }
            + others.flatMap { type in [.firstByte, .after].map { Relay.Point(type: type, place: $0) } } + [
                Relay.Point(type: .memory, place: .lastByte, number: 2), Relay.Point(type: .roundEnd, number: 1),
            ]
    }()

    @Test("Whatever happens to a frame, one side has the guest, and both know which", arguments: points)
    func frames(_ point: Relay.Point) throws {
        for fault in Relay.Fault.allCases where fault.isSensible(at: point) {
            let guest = try smallDirtyGuest()
            let context: Comment = "\(fault) at \(point.place) of \(point.type)"
            var hop = Hop()
            hop.parameters.stallTimeout = .seconds(fault == .silence ? 1 : 20)
            let folder = try TemporaryFolder()
            let target = folder.path("socket")
            let uri = try MigrationURI("unix:" + target)
            let relay = try Relay(fault, at: point, to: uri)
            let ends = try hop.make(guest, at: uri, to: relay.uri)
            relay.end()
            #expect(relay.hasStruck, context)
            // Where one could be left, the link is there again to ask.
            #expect(!ends.isInDoubt, context)
            ends.owner(guest).expectGoodEnd(context)
        }
    }

    @Test("Both sides say what was wrong with one of several channels")
    func damagedChannel() throws {
        for number in 0..<4 {
            let guest = try smallDirtyGuest()
            var hop = Hop()
            hop.parameters.channels = 4
            let folder = try TemporaryFolder()
            let target = folder.path("socket")
            let point = Relay.Point(type: .memory, place: .lastByte, channel: number)
            let uri = try MigrationURI("unix:" + target)
            let relay = try Relay(.flip, at: point, to: uri)
            let ends = try hop.make(guest, at: uri, to: relay.uri)
            relay.end()
            #expect(relay.hasStruck)
            if case .stream = ends.destination {} else { Issue.record("\(String(describing: ends.destination))") }
            guard case .refused(by: .destination, let reason) = ends.source else {
                Issue.record("channel \(number): \(String(describing: ends.source))")
                continue
            }
            #expect(reason.contains("checksum"))
            ends.owner(guest).expectGoodEnd()
        }
    }
}

extension Relay.Fault {
    /// Whether something comes of it that others do not show.
    fileprivate func isSensible(at point: Relay.Point) -> Bool {
        switch self {
        case .cut: true
        case .flip: point.place != .after
        case .silence: point.place == .after
        }
    }
}
