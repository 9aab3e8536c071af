import Glibc
import TestSupport
import Testing

/// Relays that are killed as a guest changes hands: their end is not that of the side behind them.
@Suite(.needsKVM, .serialized, .timeLimit(.minutes(10))) struct KilledRelayTests {
    /// The source has sent its word, the destination has not read it, and the relay between them is gone.
    private func broken() throws -> MigrationPair {
        var pair = try MigrationPair(destinationStage: "readySent", isRelayed: true)
        try pair.destination.waitFor("at readySent")
        // The word has got out by then.
        usleep(200_000)
        try pair.breakRelay()
        return pair
    }

    @Test("The source does not take it for the end of the destination, which runs the guest")
    func source() throws {
        try broken().expectGuestAtDestination()
    }

    @Test("The destination does not take it for the end of the source, and answers it through another")
    func destination() throws {
        var pair = try broken()
        pair.destination.send(signal: SIGCONT)
        try pair.destination.waitFor("has the guest")
        try pair.repairRelay()
        try pair.source.waitFor("handed over")
        let source = try pair.source.finish()
        let destination = try pair.destination.endGuest()
        #expect(source.has("ended: handed over") && destination.has("ended: powered off"), "\(source), \(destination)")
        #expect(isUnbroken(source.guestText + destination.guestText))
    }
}
