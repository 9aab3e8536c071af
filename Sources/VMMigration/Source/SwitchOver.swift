import VMHost
import VMMachine
import VMState

/// The end of a migration: the guest stands still, the rest of it is sent, and it is the destination's.
final class SwitchOver {
    let migration: OutgoingMigration
    private let memory: SourceMemory
    let link: SourceLink
    let began = MonotonicTime.now
    private(set) var stages: [DowntimeStage] = []
    let bytesBefore: UInt64

    init(_ migration: OutgoingMigration, _ memory: SourceMemory, _ link: SourceLink) {
        self.migration = migration
        self.memory = memory
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
        stage(.stopProcessors) { migration.machine.pauseForCopy() }
    }

    /// - Parameter pages: how many are sent.
    func sendMemory(
        _ number: Int, _ pages: UInt64, _ send: () throws(MigrationError) -> Void
    ) throws(MigrationError) {
        var round = MigrationRound()
        round.number = number
        round.isLast = true
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
        var digests: [UInt64] = []
        if migration.parameters.verifiesMemory {
            try stage(.compareMemory) { () throws(MigrationError) in digests = try memory.digests() }
        }
        try stage(.sendState) { () throws(MigrationError) in
            try main.send(.state, encoded: state)
            try link.sendEnd(memory: digests)
        }
        migration.onStage(.stateSent)
        if link.isAnswered {
            let ready: Ready = try stage(.restore) { () throws(MigrationError) in try main.receive() }
            countAsComparing(ready)
            migration.onStage(.ready)
            try migration.record.enterHandOver()
            // Where the link was lost meanwhile, nothing is left to do on it.
            _ = try stage(.handOver) { () throws(MigrationError) in try commit() }
        } else {
            try migration.record.enterHandOver()
            try stage(.handOver) { () throws(MigrationError) in
                try main.send(.commit)
                do throws(TransportError) {
                    try main.connection.finish()
                } catch {
                    // A file that has not got its name is nobody's; what went through a descriptor is somebody's.
                    if case .file = migration.uri.target { throw .transport(error) }
                    throw .inDoubt(.transport(error))
                }
            }
        }
        migration.machine.handOver()
        migration.record.complete(
            downtime: .now - began, stages: stages, bytes: migration.counters.value.bytes - bytesBefore)
    }

    /// Moves the time for which the destination compared memory, and this side waited for it, to the stage that it belongs to.
    private func countAsComparing(_ ready: Ready) {
        guard let wait = stages.firstIndex(where: { $0.name == .restore }),
            let comparison = stages.firstIndex(where: { $0.name == .compareMemory })
        else { return }
        let restoring = min(.nanoseconds(Int64(clamping: ready.restoreNanoseconds)), stages[wait].duration)
        // It may have begun before this side had sent everything.
        let time = min(.nanoseconds(Int64(clamping: ready.compareNanoseconds)), stages[wait].duration - restoring)
        stages[wait].duration -= time
        stages[comparison].duration += time
    }
}
