import VMHost
import VMMachine
import VMMigration

/// What a demonstration has under way, for whoever has to end it early. Any thread may use it.
final class DemoControl: Sendable {
    private struct State {
        var hasEnded = false
        var destination: DestinationProcess?
        var migration: OutgoingMigration?
    }

    private let machine: Machine
    private let state = Monitor(State())

    init(_ machine: Machine) {
        self.machine = machine
    }

    /// Whether it was ended early.
    var hasEnded: Bool { state.withLock(\.hasEnded) }

    /// From now on this ends as well; at once, if all has ended.
    func add(_ destination: DestinationProcess) {
        let hasEnded = state.withLock { state in
            state.destination = destination
            return state.hasEnded
        }
        if hasEnded { destination.terminate() }
    }

    /// The same.
    func add(_ migration: OutgoingMigration) {
        let hasEnded = state.withLock { state in
            state.migration = migration
            return state.hasEnded
        }
        if hasEnded { migration.cancel() }
    }

    /// Ends all there is. Does not wait.
    func end() {
        let (destination, migration) = state.change { state in
            state.hasEnded = true
            return (state.destination, state.migration)
        }
        migration?.cancel()
        machine.stop()
        destination?.terminate()
    }

    /// Sleeps.
    /// - Throws: where all is ended meanwhile.
    func sleep(_ duration: Duration) throws(DemoEnded) {
        let isOver = state.wait(until: .now.advanced(by: duration)) { $0.hasEnded ? true : nil }
        if isOver == true { throw DemoEnded() }
    }
}

/// A demonstration was ended early.
struct DemoEnded: Error {}
