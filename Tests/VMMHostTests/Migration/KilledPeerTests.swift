import Glibc
import TestSupport
import Testing

/// Processes that are killed, or stand still, at each point of a migration.
@Suite(.needsKVM, .serialized, .timeLimit(.minutes(10))) struct KilledPeerTests {
    @Test(
        "A source that is killed takes its guest along until it has given it away, and leaves it whole from then on",
        arguments: [
            "accepted", "roundEnd", "stopped", "memorySent", "stateSent", "ready", "committed",
        ], MigrationPair.Link.allCases)
    func sourceKilled(_ stage: String, _ link: MigrationPair.Link) throws {
        let pair = try MigrationPair(link, sourceStage: stage)
        try pair.source.waitFor("at \(stage)")
        pair.source.send(signal: SIGKILL)
        let source = try pair.source.finish()
        guard stage == "committed" else {
            let destination = try pair.destination.finish()
            #expect(destination.has("no guest") && !destination.has("has the guest"), "\(destination)")
            return
        }
        try pair.destination.waitFor("has the guest")
        try pair.destination.waitForOutput("pass")
        let destination = try pair.destination.endGuest()
        #expect(destination.has("ended: powered off"), "\(destination)")
        #expect(isUnbroken(source.guestText + destination.guestText), "\(source.guestText)|\(destination.guestText)")
    }

    @Test("A source that is killed before it has said hello is no source: the destination goes on listening")
    func sourceKilledEarly() throws {
        let pair = try MigrationPair(sourceStage: "connected")
        try pair.source.waitFor("at connected")
        pair.source.send(signal: SIGKILL)
        _ = try pair.source.finish()
        try pair.destination.waitFor("notice")
        usleep(50_000)
        pair.destination.send(signal: SIGKILL)
        #expect(try !pair.destination.finish().has("no guest"))
    }

    @Test(
        "The guest of a destination that is killed goes on at the source",
        arguments: ["hello", "accepted", "round", "restored", "readySent", "committed", "taken"])
    func destinationKilled(_ stage: String) throws {
        let pair = try MigrationPair(destinationStage: stage)
        try pair.destination.waitFor("at \(stage)")
        pair.destination.send(signal: SIGKILL)
        try pair.source.waitFor("runs on")
        try pair.source.waitForOutput("pass")
        let source = try pair.source.endGuest()
        #expect(source.has("ended: powered off") && isUnbroken(source.guestText), "\(source)")
    }

    @Test(
        "Where the end of the destination cannot be known, the source keeps the guest still",
        arguments: ["restored", "readySent", "committed"])
    func destinationKilledFar(_ stage: String) throws {
        let pair = try MigrationPair(.tcp, destinationStage: stage)
        try pair.destination.waitFor("at \(stage)")
        // Its word has got out by then, where it comes to that.
        usleep(50_000)
        pair.destination.send(signal: SIGKILL)
        // Before it has sent its word, it knows.
        try pair.source.waitFor(stage == "restored" ? "runs on" : "in doubt")
        guard stage == "restored" else {
            pair.source.send(signal: SIGKILL)
            return #expect(try !pair.source.finish().has("ended"))
        }
        #expect(try isUnbroken(pair.source.endGuest().guestText))
    }

    @Test(
        "A destination that stands still is given up before it has everything, and believed to have the guest later",
        arguments: ["accepted", "restored", "readySent", "committed"], MigrationPair.Link.allCases)
    func destinationStopped(_ stage: String, _ link: MigrationPair.Link) throws {
        let pair = try MigrationPair(link, destinationStage: stage, stall: 1500)
        try pair.destination.waitFor("at \(stage)")
        if ["accepted", "restored"].contains(stage) {
            try pair.source.waitFor("runs on")
            pair.destination.send(signal: SIGCONT)
            let destination = try pair.destination.finish()
            #expect(destination.has("no guest") && !destination.has("has the guest"), "\(destination)")
            let source = try pair.source.endGuest()
            #expect(source.has("ended: powered off") && isUnbroken(source.guestText), "\(source)")
        } else {
            try pair.expectGuestAtDestination()
        }
    }

    @Test(
        "A source that stands still is given up, but not while it may have given the guest away",
        arguments: ["roundEnd", "memorySent", "ready"])
    func sourceStopped(_ stage: String) throws {
        let pair = try MigrationPair(sourceStage: stage, stall: 1500)
        try pair.source.waitFor("at \(stage)")
        if stage == "ready" {
            usleep(2_500_000)
        } else {
            try pair.destination.waitFor("no guest")
        }
        pair.source.send(signal: SIGCONT)
        if stage == "ready" {
            try pair.destination.waitFor("has the guest")
            let source = try pair.source.finish()
            let destination = try pair.destination.endGuest()
            #expect(source.has("handed over") && isUnbroken(source.guestText + destination.guestText))
        } else {
            try pair.source.waitFor("runs on")
            #expect(try isUnbroken(pair.source.endGuest().guestText))
        }
    }
}
