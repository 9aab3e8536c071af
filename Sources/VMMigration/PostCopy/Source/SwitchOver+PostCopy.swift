import VMHost
import VMMachine
import VMState

/// The switch-over of post-copy: only the state is sent while the guest stands still, and which pages it lacks.
extension SwitchOver {
    /// Gives the guest away. When this returns, it runs at the destination.
    /// - Parameters:
    ///   - missing: the pages that the destination is to get afterwards.
    ///   - known: those of them that it was told of.
    /// - Returns: why the link was lost meanwhile; nil where it was not.
    /// - Throws: the source has the guest then; but for `inDoubt`.
    func handOver(without missing: PageSet, _ known: PageSet) throws(MigrationError) -> MigrationError? {
        let state = try stage(.saveState) { () throws(MigrationError) in
            try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in
                try migration.machine.saveState()
            }.encoded
        }
        let main = link.main
        try stage(.sendState) { () throws(MigrationError) in
            try main.sendMissing(missing.subtracting(known))
            try main.send(.state, encoded: state)
            try link.sendEnd(isPostCopy: true)
        }
        migration.onStage(.stateSent)
        let _: Ready = try stage(.restore) { () throws(MigrationError) in try main.receive() }
        migration.onStage(.ready)
        try migration.record.enterHandOver()
        main.expectsPostCopy()
        let loss = try stage(.handOver) { () throws(MigrationError) in try commit() }
        migration.machine.handOver()
        migration.record.beginPostCopy(
            pages: missing.count, downtime: .now - began, stages: stages,
            bytes: migration.counters.value.bytes - bytesBefore)
        return loss
    }
}
