import Glibc
import VMHost
import VMMachine
import VMMigration

/// A run whose guest is moved to another process after a while.
struct MigratingRun {
    let guest: GuestRun
    let uri: MigrationURI
    /// Since the start.
    let delay: Duration
    let parameters: MigrationParameters
    let style: MigrationTicker.Style

    /// Runs the guest until it has moved, or has ended here.
    /// - Returns: how it went here, and why it did not move.
    func run() throws(Failure) -> (result: RunResult, failure: MigrationError?) {
        let migration: OutgoingMigration
        do throws(TransportError) {
            migration = try OutgoingMigration(guest.machine, to: uri, parameters)
        } catch {
            throw Failure(.hostFailure, "\(error)")
        }
        let ended = EndedRun()
        // Once the guest has been switched over, only a destination that is not there can be given up.
        let giveUp = { @Sendable in migration.cancel() }
        let failure: MigrationError? = try guest.run(onEnd: giveUp) { () throws(MachineError) -> MigrationError? in
            try guest.machine.start()
            let waiter = try ended.wait(for: guest.machine)
            defer { pthread_join(waiter, nil) }
            guard !ended.wait(until: .now.advanced(by: delay)) else { return MigrationError.guestEnded }
            return migrate(migration)
        }
        guard let result = ended.result else {
            throw Failure(.hostFailure, "the guest has ended, and nobody knows how")
        }
        return (result, failure)
    }

    private func migrate(_ migration: OutgoingMigration) -> MigrationError? {
        let ticker = MigrationTicker(style) { migration.progress }
        defer { ticker?.end() }
        do throws(MigrationError) {
            try migration.run()
            return nil
        } catch {
            return error
        }
    }
}
