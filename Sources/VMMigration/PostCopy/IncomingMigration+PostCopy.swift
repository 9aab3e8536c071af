/// A guest that runs before all of its memory is here.
extension IncomingMigration {
    /// How far it is, once the guest runs; see `MigrationProgress.requests`.
    public var progress: MigrationProgress { record.progress }

    /// Waits until all of the guest's memory is here, or the guest has ended and needs it no more. Where it came before the
    /// guest, returns at once if the source knows that the guest runs here; else waits some seconds for it to ask. Whoever
    /// runs a guest that has come calls it before the process ends.
    /// - Throws: `guestLost`, where pages do not come any more. The machine has been stopped then.
    public func waitForMemory() throws(MigrationError) {
        guard let end = memoryEnd.withLock(\.self) else { return waitForSettling() }
        try end.wait()
    }
}
