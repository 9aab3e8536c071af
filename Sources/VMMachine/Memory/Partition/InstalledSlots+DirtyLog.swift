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
        guard let id = table.withLock({ $0.id(of: slot) }) else { return }
        let count = slot.dirtyLogWordCount
        // Taken out, so that the rest can be used meanwhile.
        var log = log
        self.log = []
        defer { self.log = log }
        if log.count < count { log = Array(repeating: 0, count: count) }
        let pages = try log.withUnsafeMutableBufferPointer { (room) throws(SlotFailure) in
            let words = UnsafeMutableBufferPointer(rebasing: room.prefix(count))
            try read(slot, id, into: words)
            let pages = UnsafeBufferPointer(words).setBitCount()
            if pages > 0 { dirtyPages.merge(UnsafeBufferPointer(words), of: slot.range) }
            // A slot that stays must not report the same pages again.
            if goesOn, method == .manual { try clear(slot, id, UnsafeBufferPointer(words)) }
            return pages
        }
        table.withLock { $0.counters.pagesHarvested += pages }
    }

    /// Adds the slots in a range to a round, with what their logs or the rings have, which begin anew.
    /// - Throws: some slots may have no log then, where the error says so.
    mutating func read(_ range: MemoryRange?, into round: inout DirtyRound) throws(SlotFailure) {
        let (slots, ids) = table.withLock { ($0.layout, $0.ids) }
        let isByBitmap = method != .ring
        for index in range.map({ slots.indices(overlapping: $0) }) ?? slots.slots.indices {
            let slot = slots.slots[index]
            if isByBitmap, slot.flags.contains(.logDirtyPages) {
                try read(slot, ids[index], range, into: &round)
            } else {
                round.append(slot.range)
            }
        }
        if !isByBitmap { try readRings(into: &round) }
        round.finish(range)
        table.withLock { $0.counters.pagesHarvested += round.pageCount }
    }

    private mutating func read(
        _ slot: MemorySlot, _ id: MemorySlotID, _ range: MemoryRange?, into round: inout DirtyRound
    ) throws(SlotFailure) {
        let began = MonotonicTime.now
        defer { round.noteKernelTime(since: began) }
        try round.append(slot.range) { (words) throws(SlotFailure) in
            try read(slot, id, into: words)
            if method == .manual, let range { words.clear(outside: range, of: slot.range) }
        }
        if method == .manual {
            try round.withLastWords { (words) throws(SlotFailure) in try clear(slot, id, words) }
        }
    }

    /// What comes out of the rings is counted as calls of the kernel's: it is spread over both.
    private mutating func readRings(into round: inout DirtyRound) throws(SlotFailure) {
        let wasQuiesced = isQuiesced
        quiesce()
        defer { if !wasQuiesced { resume() } }
        let began = MonotonicTime.now
        defer { round.noteKernelTime(since: began) }
        try drainRings { ranges in round.add(ranges) { dirtyPages.markDirty([$0]) } }
        if calls.hasLostDirtyPages { try protectAnew() }
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

    private func read(
        _ slot: MemorySlot, _ id: MemorySlotID, into words: UnsafeMutableBufferPointer<UInt64>
    ) throws(SlotFailure) {
        try SlotFailure.wrap(.readDirtyLog, slot.range) { () throws(KVMError) in
            try calls.getDirtyLog(id, into: words)
        }
    }

    /// Starts a log anew for the pages that it had: in pieces, between which the guest's processors can have pages of theirs
    /// made writable.
    private mutating func clear(
        _ slot: MemorySlot, _ id: MemorySlotID, _ words: UnsafeBufferPointer<UInt64>
    ) throws(SlotFailure) {
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
