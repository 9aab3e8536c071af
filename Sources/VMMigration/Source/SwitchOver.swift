import VMHost
import VMMachine
import VMState

/// The end of a migration: the guest stands still, the rest of it is sent, and it is the destination's.
final class SwitchOver {
    let migration: OutgoingMigration
    let link: SourceLink
    let began = MonotonicTime.now
    private(set) var stages: [DowntimeStage] = []
    let bytesBefore: UInt64

    init(_ migration: OutgoingMigration, _ link: SourceLink) {
        self.migration = migration
        self.link = link
        bytesBefore = migration.counters.value.bytes
        migration.record.enter(.device)
    }

    func stage<Failure: Error, Result>(
        _ name: DowntimeStage.Name, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let start = MonotonicTime.now
        defer { stages.append(DowntimeStage(name: name, duration: .now - start)) }
        return try body()
    }

    func stopProcessors() {
        stage(.stopProcessors) { migration.machine.pause() }
    }

    /// - Parameter pages: how many are sent.
    func sendMemory(
        _ number: Int, _ pages: UInt64, _ send: () throws(MigrationError) -> Void
    ) throws(MigrationError) {
        var round = MigrationRound()
        round.number = number
        round.dirtyPages = pages
        migration.record.begin(round)
        let before = migration.counters.value
        let start = MonotonicTime.now
        try stage(.memory, send)
        round.sent = migration.counters.value - before
        round.duration = .now - start
        migration.record.end(round, bandwidth: nil)
    }

    func handOver() throws(MigrationError) {
        let state = try stage(.saveState) { () throws(MigrationError) in
            try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in
                try migration.machine.saveState()
            }.encoded
        }
        let main = link.main
        try stage(.sendState) { () throws(MigrationError) in
            try main.send(.state, encoded: state)
            try link.sendEnd()
        }
        if link.isAnswered {
            let _: Ready = try stage(.restore) { () throws(MigrationError) in try main.receive() }
            // From here on the destination may run the guest.
            try migration.record.enterHandOver()
            try stage(.handOver) { () throws(MigrationError) in try commit() }
        } else {
            try migration.record.enterHandOver()
            try stage(.handOver) { () throws(MigrationError) in
                try main.send(.commit)
                try MigrationError.wrap(MigrationError.transport) { () throws(TransportError) in
                    try main.connection.finish()
                }
            }
        }
        migration.machine.handOver()
        migration.record.complete(
            downtime: .now - began, stages: stages, bytes: migration.counters.value.bytes - bytesBefore)
    }

    /// Gives the guest away, and waits until it is known to run.
    private func commit() throws(MigrationError) {
        do throws(MigrationError) {
            try link.main.send(.commit)
            let _: Running = try link.main.receive()
        } catch .transport(let error) {
            // A destination closes its end only once it has said that it runs the guest; or it has ended, and the guest with
            // it.
            if error.isPeerGone { throw .transport(error) }
            throw .inDoubt(error)
        }
    }
}
