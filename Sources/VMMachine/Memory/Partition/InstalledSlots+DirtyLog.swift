import KVM
import VMAddressSpace
import VMDirtyTracking
import VMHost
import VMRegions

/// Takes what dirty logs of slots that go had.
protocol DirtyPageSink: Sendable {
    /// Marks pages as written: for each page of the range a bit, the first page in the lowest bit of the first word. Bits
    /// past the last page are 0.
    func merge(_ words: UnsafeBufferPointer<UInt64>, of range: MemoryRange)
    /// Marks all pages of ranges.
    func markDirty(_ ranges: [MemoryRange])
}

extension DirtyLogSink: DirtyPageSink {}

/// The dirty logs of the slots, and the rings of the processors where those have them instead.
extension InstalledSlots {
    // MARK: Switching

    /// Makes all slots that the guest can write log dirty pages.
    /// - Parameter isInitiallySet: whether the logs are to begin with all pages, where that saves protecting them.
    /// - Throws: nothing has changed then, unless the error says so.
    mutating func startLogging(_ method: DirtyTrackingMethod, isInitiallySet: Bool) throws(SlotFailure) {
        self.method = method
        do throws(SlotFailure) {
            switch method {
            case .log: try setProtection(.automatic)
            case .ring:
                try setProtection(.automatic)
                // All pages are about to be protected.
                calls.hasLostDirtyPages = false
            case .manual: try setProtection(isInitiallySet ? .manualInitiallySet : .manual)
            }
            try setFlags(isLogging: true) { (slots) throws(SlotFailure) in
                // What comes later is to begin clean.
                if method == .manual, isInitiallySet { try slots.setProtection(.manual) }
            }
        } catch {
            if error.isUndone { self.method = nil }
            throw error
        }
    }

    /// Makes no slot log dirty pages, once what the logs have is handed over.
    /// - Throws: nothing has changed then, unless the error says so.
    mutating func stopLogging() throws(SlotFailure) {
        try harvest(layout.slots)
        try setFlags(isLogging: false) { _ throws(SlotFailure) in }
        method = nil
        log = []
    }

    /// Switches the logs of the slots that `other` has as well, but for that, as they are there. What has no log and should
    /// have is marked as written.
    /// - Throws: some may have been switched then.
    mutating func setLogging(as other: SlotLayout) throws(SlotFailure) {
        for slot in layout.slots {
            let isOn = !slot.flags.contains(.logDirtyPages)
            guard other.index(of: slot.loggingDirtyPages(isOn)) != nil else { continue }
            if !isOn { try harvest([slot]) }
            try setFlags(isLogging: isOn, of: slot)
            // Nobody knows what was written while it should have had a log and had none.
            if isOn { dirtyPages.markDirty([slot.range]) }
        }
    }

    /// - Parameter finish: called at the end; where it throws, that is undone too.
    private mutating func setFlags(
        isLogging isOn: Bool, finish: (inout InstalledSlots) throws(SlotFailure) -> Void
    ) throws(SlotFailure) {
        let slots = layout.slots
        var done = 0
        do throws(SlotFailure) {
            for slot in slots {
                try setFlags(isLogging: isOn, of: slot)
                done += 1
            }
            try finish(&self)
        } catch {
            var failure = error
            for slot in slots[..<done].reversed() {
                failure.undo { () throws(SlotFailure) in
                    if try setFlags(isLogging: !isOn, of: slot.loggingDirtyPages(isOn)) {
                        table.withLock { $0.counters.stepsUndone += 1 }
                    }
                }
            }
            throw failure
        }
    }

    /// - Returns: whether that took a call.
    @discardableResult
    private func setFlags(isLogging isOn: Bool, of slot: MemorySlot) throws(SlotFailure) -> Bool {
        let flags = slot.loggingDirtyPages(isOn).flags
        guard flags != slot.flags, let id = table.withLock({ $0.id(of: slot) }) else { return false }
        try SlotFailure.wrap(.setFlags, slot.range) { () throws(KVMError) in try calls.setMemorySlotFlags(id, flags) }
        table.withLock { $0.setFlags(flags, of: slot) }
        return true
    }

    private mutating func setProtection(_ new: VirtualMachine.DirtyLogProtection) throws(SlotFailure) {
        // A host that has no other way than the first does not know the call.
        guard new != protection else { return }
        try SlotFailure.wrap(.setProtection, nil) { () throws(KVMError) in try calls.setDirtyLogProtection(new) }
        protection = new
    }

    // MARK: Reading

    /// Hands over what the dirty logs of some slots have, or all rings.
    mutating func harvest(_ slots: [MemorySlot]) throws(SlotFailure) {
        let logged = slots.filter { $0.flags.contains(.logDirtyPages) }
        guard !logged.isEmpty else { return }
        if method == .ring { return try drainRings() }
        for slot in logged { try harvest(slot) }
    }

    private mutating func harvest(_ slot: MemorySlot) throws(SlotFailure) {
        let count = slot.dirtyLogWordCount
        // Taken out, so that the rest can be used meanwhile.
        var log = log
        self.log = []
        defer { self.log = log }
        if log.count < count { log = Array(repeating: 0, count: count) }
        let pages = try log.withUnsafeMutableBufferPointer { (room) throws(SlotFailure) in
            let words = UnsafeMutableBufferPointer(rebasing: room.prefix(count))
            try read(slot, into: words)
            let pages = words.reduce(0) { $0 + $1.nonzeroBitCount }
            if pages > 0 { dirtyPages.merge(UnsafeBufferPointer(words), of: slot.range) }
            // A slot that stays must not report the same pages again.
            if method == .manual { try clear(slot, UnsafeBufferPointer(words)) }
            return pages
        }
        table.withLock { $0.counters.pagesHarvested += UInt64(pages) }
    }

    /// Empties the rings, of all that the processors have written so far.
    /// - Throws: some slots may have no log then.
    mutating func collectRings() throws(SlotFailure) {
        flush()
        try drainRings()
        guard calls.hasLostDirtyPages else { return }
        // Pages that were in no ring any more are writable, and writing them is not logged.
        let wasQuiesced = isQuiesced
        quiesce()
        defer { if !wasQuiesced { resume() } }
        try setFlags(isLogging: false) { _ throws(SlotFailure) in }
        do throws(SlotFailure) {
            try setFlags(isLogging: true) { _ throws(SlotFailure) in }
        } catch {
            var failure = error
            failure.undo { () throws(SlotFailure) in throw error }
            throw failure
        }
        dirtyPages.markDirty([.whole])
        calls.hasLostDirtyPages = false
    }

    /// Adds the slots in a range to a round, with what their logs have, which begin anew. What rings have, `collectRings`
    /// has handed over before.
    func read(_ range: MemoryRange?, into round: inout DirtyRound) throws(SlotFailure) {
        var kernelTime = round.kernelDuration
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
        round.finish(range)
        table.withLock { $0.counters.pagesHarvested += round.pageCount }
    }

    private func read(_ slot: MemorySlot, into words: UnsafeMutableBufferPointer<UInt64>) throws(SlotFailure) {
        guard let id = table.withLock({ $0.id(of: slot) }) else { return words.update(repeating: 0) }
        try SlotFailure.wrap(.readDirtyLog, slot.range) { () throws(KVMError) in
            try calls.getDirtyLog(id, into: words)
        }
    }

    /// Starts a log anew for the pages that it had: in pieces, between which the guest's processors can have pages of theirs
    /// made writable.
    private func clear(_ slot: MemorySlot, _ words: UnsafeBufferPointer<UInt64>) throws(SlotFailure) {
        guard let id = table.withLock({ $0.id(of: slot) }) else { return }
        try words.forEachPiece(of: Self.clearedWordCount) { (firstWord, piece) throws(SlotFailure) in
            try SlotFailure.wrap(.clearDirtyLog, slot.range) { () throws(KVMError) in
                try calls.clearDirtyLog(id, firstPage: UInt64(firstWord) << 6, words: piece)
            }
        }
    }

    /// 64 MiB.
    private static let clearedWordCount = 256

    private func drainRings() throws(SlotFailure) {
        try SlotFailure.wrap(.drainRings, nil) { () throws(KVMError) in
            try calls.drainDirtyRings(of: nil) { ranges in dirtyPages.markDirty(ranges) }
        }
    }
}

extension UnsafeBufferPointer<UInt64> {
    /// Calls `body` with each piece of so many words that has bits, without words of zeros at its ends.
    fileprivate func forEachPiece<Failure: Error>(
        of length: Int, _ body: (Int, UnsafeBufferPointer<UInt64>) throws(Failure) -> Void
    ) throws(Failure) {
        var start = 0
        while let first = self[start...].firstIndex(where: { $0 != 0 }) {
            let end = Swift.min(first + length, count)
            let last = self[first..<end].lastIndex { $0 != 0 } ?? first
            try body(first, UnsafeBufferPointer(rebasing: self[first...last]))
            start = end
        }
    }
}

extension UnsafeMutableBufferPointer<UInt64> {
    /// Clears the words of `whole` that have no page of `range`.
    fileprivate func clear(outside range: MemoryRange, of whole: MemoryRange) {
        guard let common = whole.intersection(range) else { return update(repeating: 0) }
        let first = Int((common.frames.lowerBound - whole.frames.lowerBound) >> 6)
        let last = Int((common.frames.upperBound - 1 - whole.frames.lowerBound) >> 6)
        self[..<first].update(repeating: 0)
        self[(last + 1)...].update(repeating: 0)
    }
}
