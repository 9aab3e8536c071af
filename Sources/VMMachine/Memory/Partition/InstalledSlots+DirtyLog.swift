import KVM
import VMAddressSpace
import VMDirtyTracking
import VMHost

/// Reading the dirty logs of the slots, or the rings of the processors where those have them instead.
extension InstalledSlots {
    /// Hands over what the dirty logs of some slots have, or all rings.
    /// - Parameter goesOn: whether the logs begin anew. Otherwise they are about to go; where they stay after all, they report
    ///   the same pages again.
    mutating func harvest(_ slots: [MemorySlot], goesOn: Bool = true) throws(SlotFailure) {
        for slot in slots where slot.flags.contains(.logDirtyPages) {
            if method == .ring { return try drainRings() }
            try harvest(slot, goesOn: goesOn)
        }
    }

    private mutating func harvest(_ slot: MemorySlot, goesOn: Bool) throws(SlotFailure) {
        let count = slot.dirtyLogWordCount
        // Taken out, so that the rest can be used meanwhile.
        var log = log
        self.log = []
        defer { self.log = log }
        if log.count < count { log = Array(repeating: 0, count: count) }
        let pages = try log.withUnsafeMutableBufferPointer { (room) throws(SlotFailure) in
            let words = UnsafeMutableBufferPointer(rebasing: room.prefix(count))
            try read(slot, into: words)
            let pages = UnsafeBufferPointer(words).setBitCount()
            if pages > 0 { dirtyPages.merge(UnsafeBufferPointer(words), of: slot.range) }
            // A slot that stays must not report the same pages again.
            if goesOn, method == .manual { try clear(slot, UnsafeBufferPointer(words)) }
            return pages
        }
        table.withLock { $0.counters.pagesHarvested += pages }
    }

    /// Adds the slots in a range to a round, with what their logs or the rings have, which begin anew.
    /// - Throws: some slots may have no log then, where the error says so.
    mutating func read(_ range: MemoryRange?, into round: inout DirtyRound) throws(SlotFailure) {
        var kernelTime = Duration.zero
        defer { round.kernelDuration = kernelTime }
        let isByBitmap = method != .ring
        for slot in range.map({ layout.slots(overlapping: [$0]) }) ?? layout.slots {
            guard isByBitmap, slot.flags.contains(.logDirtyPages) else {
                round.append(slot.range) { $0.update(repeating: 0) }
                continue
            }
            let began = MonotonicTime.now
            defer { kernelTime += .now - began }
            try round.append(slot.range) { (words) throws(SlotFailure) in
                try read(slot, into: words)
                if method == .manual, let range { words.clear(outside: range, of: slot.range) }
            }
            if method == .manual {
                try round.withLastWords { (words) throws(SlotFailure) in try clear(slot, words) }
            }
        }
        if method == .ring {
            let wasQuiesced = isQuiesced
            quiesce()
            defer { if !wasQuiesced { resume() } }
            let began = MonotonicTime.now
            try drainRings { ranges in round.add(ranges) { dirtyPages.markDirty([$0]) } }
            if calls.hasLostDirtyPages { try protectAnew() }
            kernelTime = .now - began
        }
        round.finish(range)
        table.withLock { $0.counters.pagesHarvested += round.pageCount }
    }

    /// Has all pages protected, after some were lost that are writable and in no ring any more; and marks all. The processors
    /// are kept out.
    /// - Throws: some slots have no log then.
    private mutating func protectAnew() throws(SlotFailure) {
        try setFlags(isLogging: false)
        do throws(SlotFailure) {
            try setFlags(isLogging: true)
        } catch {
            var failure = error
            failure.undo { () throws(SlotFailure) in throw error }
            throw failure
        }
        dirtyPages.markDirty([.whole])
        calls.hasLostDirtyPages = false
    }

    private func read(_ slot: MemorySlot, into words: UnsafeMutableBufferPointer<UInt64>) throws(SlotFailure) {
        guard let id = table.withLock({ $0.id(of: slot) }) else { return words.update(repeating: 0) }
        try SlotFailure.wrap(.readDirtyLog, slot.range) { () throws(KVMError) in
            try calls.getDirtyLog(id, into: words)
        }
    }

    /// Starts a log anew for the pages that it had: in pieces, between which the guest's processors can have pages of theirs
    /// made writable.
    private mutating func clear(_ slot: MemorySlot, _ words: UnsafeBufferPointer<UInt64>) throws(SlotFailure) {
        guard let id = table.withLock({ $0.id(of: slot) }) else { return }
        // Of logs that began full the kernel has not protected large pages, and does so here, but only while new logs
        // would begin full as well.
        if beganFull { try setProtection(.manualInitiallySet) }
        try words.forEachPiece(of: Self.clearedWordCount) { (firstWord, piece) throws(SlotFailure) in
            try SlotFailure.wrap(.clearDirtyLog, slot.range) { () throws(KVMError) in
                try calls.clearDirtyLog(id, firstPage: UInt64(firstWord) << 6, words: piece)
            }
        }
    }

    /// 64 MiB.
    private static let clearedWordCount = 256

    /// With the processors kept out: what they hold back of their rings is there then, and none can run over meanwhile.
    private func drainRings() throws(SlotFailure) {
        try drainRings { ranges in dirtyPages.markDirty(ranges) }
    }

    private func drainRings(_ body: ([MemoryRange]) -> Void) throws(SlotFailure) {
        try SlotFailure.wrap(.drainRings, nil) { () throws(KVMError) in
            try calls.drainDirtyRings(of: nil, body)
        }
    }
}
