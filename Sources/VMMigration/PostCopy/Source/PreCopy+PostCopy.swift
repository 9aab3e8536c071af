import VMDirtyTracking
import VMHost
import VMMachine

extension PreCopy {
    /// Switches over without any round before: all pages follow.
    func runWithoutRounds() throws(MigrationError) {
        var all = PageSet(memory.blocks)
        for (index, block) in memory.blocks.enumerated() {
            all.insert(PageRun(block: index, pages: 0..<block.pageCount))
        }
        // A destination whose memory was provided in advance has pages to drop: not while the guest stands still.
        try link.main.sendMissing(all)
        try link.main.sendRound(0)
        try switchToPostCopy(without: all) { [all] (_) in all }
    }

    /// Switches over after rounds, the last of which left pages that have to be sent once more.
    func switchToPostCopy(after round: Int) throws(MigrationError) {
        throttle?.end()
        // Dropping pages takes the destination a while: those that are known by now it drops while the guest still runs.
        let known = pagesOfRound
        try link.main.sendMissing(known)
        try link.main.sendRound(UInt64(round + 1))
        try switchToPostCopy(without: known) { [dirty, tracker, migration] (switchOver) throws(MigrationError) in
            // What was found last has not been sent: it is put back, and found again with what came since.
            dirty.round.putBack()
            try switchOver.stage(.harvest) { () throws(MigrationError) in
                try MigrationError.wrap(MigrationError.tracking) { () throws(DirtyTrackingError) in
                    try tracker.harvest(into: &dirty.round)
                }
            }
            migration.onHarvest(dirty.round, round + 1)
            return pagesOfRound
        }
    }

    /// What was found dirty last.
    private var pagesOfRound: PageSet {
        var pages = PageSet(memory.blocks)
        dirty.round.forEachRun { range in
            memory.forEachRun(at: range) { pages.insert($0) }
        }
        return pages
    }

    /// - Parameters:
    ///   - known: pages that the destination knows it lacks.
    ///   - findMissing: called once the guest stands still: all that it lacks.
    private func switchToPostCopy(
        without known: PageSet, _ findMissing: (SwitchOver) throws(MigrationError) -> PageSet
    ) throws(MigrationError) {
        link.liftLimit()
        let switchOver = SwitchOver(migration, memory, link)
        switchOver.stopProcessors()
        migration.onStage(.stopped)
        let pending: PendingPages
        do throws(MigrationError) {
            if migration.machine.hasEnded { throw .guestEnded }
            let missing = try findMissing(switchOver)
            pending = PendingPages(missing, of: memory.blocks)
            if let error = try switchOver.handOver(without: missing, known) { pending.fail(error) }
        } catch .inDoubt(let error) {
            migration.machine.leavePaused()
            throw .inDoubt(error)
        } catch {
            migration.machine.resumeAfterCopy()
            throw error
        }
        try PostCopySource(migration, memory, link, pending).run()
        migration.record.completePostCopy()
    }
}
