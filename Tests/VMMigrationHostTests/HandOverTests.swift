import Glibc
import TestSupport
import Testing
import VMMachine
import VMMigration

/// That never two sides have a guest, and never none.
@Suite(
    "Who has the guest", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct HandOverTests {
    @Test("Cancelled by the source at any point, the guest stays there", arguments: SourceStage.allCases)
    func sourceCancels(_ stage: SourceStage) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop()
        hop.onSource = { if $0 == stage { $1.cancel() } }
        let ends = try hop.make(guest)
        if stage == .committed {
            #expect(ends.source == nil && ends.progress.status == .completed, "it was given away by then")
        } else {
            #expect(ends.arrived == nil && ends.destination != nil)
            #expect(ends.progress.status == .cancelled)
            if case .cancelled = ends.source {} else { Issue.record("\(String(describing: ends.source))") }
        }
        ends.owner(guest).expectGoodEnd("\(stage)")
    }

    @Test(
        "Cancelled by the destination at any point, over any link, the guest stays with the source",
        arguments: DestinationStage.allCases, [Hop.Transport.unix, .tcp])
    func destinationCancels(_ stage: DestinationStage, _ transport: Hop.Transport) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop(transport: transport)
        hop.onDestination = { if $0 == stage { $1.cancel() } }
        let ends = try hop.make(guest)
        switch stage {
        case .committed, .started: #expect(ends.source == nil && ends.destination == nil)
        default: #expect(ends.arrived == nil && ends.destination != nil)
        }
        if ends.isInDoubt {
            // The destination went between its two words, and its process is the source's own.
            #expect(stage == .readySent && ends.arrived == nil)
            guest.machine.resume()
            return guest.expectGoodEnd("\(stage)")
        }
        ends.owner(guest).expectGoodEnd("\(stage)")
    }

    @Test(
        "A destination that stalls before it has everything loses the guest, and one that stalls later keeps it",
        arguments: DestinationStage.allCases, [Hop.Transport.unix, .tcp])
    func destinationStalls(_ stage: DestinationStage, _ transport: Hop.Transport) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop(transport: transport)
        hop.parameters.stallTimeout = .milliseconds(200)
        hop.onDestination = { reached, _ in if reached == stage { usleep(600_000) } }
        let ends = try hop.make(guest)
        switch stage {
        case .hello, .accepted, .round, .restored: #expect(ends.source != nil && ends.arrived == nil && !ends.isInDoubt)
        case .readySent, .committed, .started: #expect(ends.isInDoubt && ends.arrived != nil)
        }
        ends.owner(guest).expectGoodEnd("\(stage), \(String(describing: ends.source))")
    }

    @Test(
        "A source that stalls is given up, unless it may have given the guest away", arguments: SourceStage.allCases)
    func sourceStalls(_ stage: SourceStage) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop()
        hop.parameters.stallTimeout = .milliseconds(200)
        hop.onSource = { reached, _ in if reached == stage { usleep(600_000) } }
        let ends = try hop.make(guest)
        switch stage {
        case .connected, .accepted, .roundEnd, .stopped, .memorySent: #expect(ends.source != nil)
        case .setup, .stateSent, .ready, .committed: #expect(ends.source == nil)
        }
        ends.owner(guest).expectGoodEnd("\(stage), \(String(describing: ends.source))")
    }

    static let points: [Relay.Point] = {
        let types: [FrameType] = [
            .hello, .description, .memory, .roundEnd, .state, .end, .commit, .accepted, .roundDone, .ready, .running,
        ]
        return types.flatMap { type in
            Relay.Point.Place.allCases.map { Relay.Point(type: type, place: $0) }
        } + [Relay.Point(type: .memory, place: .lastByte, number: 2), Relay.Point(type: .roundEnd, number: 1)]
    }()

    @Test("Whatever happens to a frame, one side has the guest, or is in doubt", arguments: points)
    func frames(_ point: Relay.Point) throws {
        for fault in Relay.Fault.allCases where fault.isSensible(at: point) {
            let guest = try smallDirtyGuest()
            let context: Comment = "\(fault) at \(point.place) of \(point.type)"
            var hop = Hop()
            hop.parameters.stallTimeout = .milliseconds(fault == .silence ? 500 : 5_000)
            let folder = try TemporaryFolder()
            let target = folder.path("socket")
            let relay = try Relay(fault, at: point, to: target)
            let ends = try hop.make(
                guest, at: MigrationURI("unix:" + target), to: MigrationURI("unix:" + relay.path))
            relay.end()
            #expect(relay.hasStruck, context)
            #expect(!ends.isInDoubt || point.canLeaveDoubt, context)
            if ends.isInDoubt, ends.arrived == nil {
                // Nobody can know that here, but its user, who lets the source's machine go on.
                #expect(ends.destination != nil && guest.machine.resume(), context)
                guest.expectGoodEnd(context)
            } else {
                ends.owner(guest).expectGoodEnd(context)
            }
        }
    }
}

extension HandOverTests {
    @Test("Both sides say what was wrong with one of several channels")
    func damagedChannel() throws {
        for number in 0..<4 {
            let guest = try smallDirtyGuest()
            var hop = Hop()
            hop.parameters.channels = 4
            let folder = try TemporaryFolder()
            let target = folder.path("socket")
            let point = Relay.Point(type: .memory, place: .lastByte, channel: number)
            let relay = try Relay(.flip, at: point, to: target)
            let ends = try hop.make(guest, at: MigrationURI("unix:" + target), to: MigrationURI("unix:" + relay.path))
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
        case .silence: point.place == .firstByte || point.place == .after
        }
    }
}

extension Relay.Point {
    /// Whether the source's word, or the answer to it, can be lost to what happens there.
    fileprivate var canLeaveDoubt: Bool {
        switch type {
        case .commit, .running: true
        case .end, .ready: place == .after
        default: false
        }
    }
}

/// A guest that writes and checks all the time, in a machine of little memory.
func smallDirtyGuest(_ change: (inout MachineConfiguration) throws -> Void = { _ in }) throws -> LiveMachine {
    let guest = try LiveMachine("dirty", ["--base", "2M", "--set", "512K", "--rate", "40M"]) {
        $0.memory = ByteSize(bytes: 4 << 20)
        try change(&$0)
    }
    #expect(guest.waitForLines(2), "\(guest.console.text)")
    return guest
}
