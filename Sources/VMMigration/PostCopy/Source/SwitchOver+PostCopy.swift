import VMHost
import VMMachine
import VMState

/// The switch-over of post-copy: only the state is sent while the guest stands still, and which pages it lacks.
extension SwitchOver {
    /// Gives the guest away. When this returns, it runs at the destination, or may.
    /// - Parameter missing: the pages that the destination is to get afterwards.
    /// - Returns: why nobody has heard that it runs there; nil where it does.
    /// - Throws: the source has the guest then.
    func handOver(without missing: PageSet) throws(MigrationError) -> MigrationError? {
        let state = try stage(.saveState) { () throws(MigrationError) in
            try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in
                try migration.machine.saveState()
            }.encoded
        }
        let main = link.main
        try stage(.sendState) { () throws(MigrationError) in
            try main.sendMissing(missing)
            try main.send(.state, encoded: state)
            try link.sendEnd(isPostCopy: true)
        }
        let _: Ready = try stage(.restore) { () throws(MigrationError) in try main.receive() }
        // From here on the destination may run the guest.
        try migration.record.enterHandOver()
        main.expectsPostCopy()
        let doubt: MigrationError? = stage(.handOver) {
            // Where the link is lost now, nobody knows whether the guest runs there: it must not go on here. When the
            // destination is reached again, it does run there.
            do throws(MigrationError) {
                try main.send(.commit)
                let _: Running = try main.receive()
                return nil
            } catch {
                return error
            }
        }
        migration.machine.handOver()
        migration.record.beginPostCopy(
            pages: missing.count, downtime: .now - began, stages: stages,
            bytes: migration.counters.value.bytes - bytesBefore)
        return doubt
    }
}
