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
        case .committed, .taken: #expect(ends.source == nil && ends.destination == nil)
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
        arguments: DestinationStage.allCases.map { ($0, Hop.Transport.unix) } + [(.restored, .tcp), (.readySent, .tcp)])
    func destinationStalls(_ stage: DestinationStage, _ transport: Hop.Transport) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop(transport: transport)
        hop.parameters.stallTimeout = .seconds(1)
        hop.parameters.rejoinTimeout = .seconds(2)
        hop.destinationStallTimeout = .seconds(20)
        hop.onDestination = { [ended = hop.ended] reached, _ in if reached == stage { ended.waitForSource() } }
        let ends = try hop.make(guest)
        switch stage {
        case .hello, .accepted, .round, .restored: #expect(ends.source != nil && ends.arrived == nil && !ends.isInDoubt)
        case .readySent, .committed: #expect(ends.isInDoubt && ends.arrived != nil)
        // It is decided by then, which the source hears when it asks.
        case .taken: #expect(ends.source == nil && ends.arrived != nil)
        }
        ends.owner(guest).expectGoodEnd("\(stage), \(String(describing: ends.source))")
    }

    @Test(
        "A source that stalls before it has sent everything is given up",
        arguments: [SourceStage.accepted, .roundEnd, .stopped, .memorySent])
    func sourceStalls(_ stage: SourceStage) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop()
        hop.destinationStallTimeout = .milliseconds(300)
        hop.onSource = { [ended = hop.ended] reached, _ in if reached == stage { ended.waitForDestination() } }
        let ends = try hop.make(guest)
        #expect(ends.source != nil && ends.arrived == nil)
        ends.owner(guest).expectGoodEnd("\(stage), \(String(describing: ends.source))")
    }

    @Test(
        "A source that may take its time has it", arguments: [SourceStage.setup, .stateSent, .ready, .committed])
    func sourceTakesTime(_ stage: SourceStage) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop()
        hop.destinationStallTimeout = .seconds(1)
        hop.onSource = { reached, _ in if reached == stage { usleep(1_300_000) } }
        let ends = try hop.make(guest)
        #expect(ends.source == nil)
        ends.owner(guest).expectGoodEnd("\(stage), \(String(describing: ends.source))")
    }

    @Test(
        "A source that takes too long to give the guest away hears that it is too late, and keeps it",
        arguments: [Hop.Transport.unix, .tcp, .pair])
    func tooLate(_ transport: Hop.Transport) throws {
        let guest = try smallDirtyGuest()
        var hop = Hop(transport: transport)
        hop.destinationProgressTimeout = .milliseconds(300)
        hop.answerTimeout = .seconds(2)
        hop.onSource = { reached, _ in if reached == .ready { usleep(1_000_000) } }
        let ends = try hop.make(guest)
        guard case .refused(by: .destination, let reason) = ends.source else {
            Issue.record("\(String(describing: ends.source))")
            return
        }
        #expect(reason.contains("was not given away") || reason.contains("does not have it"))
        #expect(ends.arrived == nil && ends.destination != nil)
        ends.owner(guest).expectGoodEnd("\(transport)")
    }

    @Test("That vCPUs cannot be started is known before the guest is given away")
    func cannotStart() throws {
        let guest = try smallDirtyGuest()
        let made = Reference<Machine>()
        var hop = Hop()
        // A machine starts once.
        hop.onMachine = { (machine) throws(MachineError) in
            made.set(machine)
            machine.pause()
            try machine.start()
        }
        let ends = try hop.make(guest)
        guard case .refused(by: .destination, let reason) = ends.source, reason.contains("started before") else {
            Issue.record("\(String(describing: ends.source))")
            return
        }
        #expect(ends.arrived == nil && ends.destination != nil)
        // Its threads have ended, and nobody has to let it go.
        guard case .stopped = made.value.wait().outcome else {
            Issue.record("the machine was not stopped")
            return
        }
        ends.owner(guest).expectGoodEnd("")
    }
}
