import KVM
import VMAddressSpace

/// The slots of a partition that are in the kernel, and the processors that see them. What fails is undone.
struct InstalledSlots: Sendable {
    /// Takes what a dirty log had: for each page of the range a bit, the first page in the lowest bit of the first word.
    /// Bits past the last page are 0.
    typealias DirtyPageSink = @Sendable (MemoryRange, UnsafeBufferPointer<UInt64>) -> Void

    private let calls: any MemorySlotCalls
    private let gate: KVMPartition.ProcessorGate
    private let onDirtyPages: DirtyPageSink
    private(set) var isQuiesced = false
    private let table: SlotTable
    /// Room for a dirty log.
    private var log: [UInt64] = []

    init(
        _ calls: any MemorySlotCalls, _ gate: KVMPartition.ProcessorGate, _ table: SlotTable,
        onDirtyPages: @escaping DirtyPageSink
    ) {
        self.calls = calls
        self.gate = gate
        self.table = table
        self.onDirtyPages = onDirtyPages
    }

    /// What is in the kernel.
    var layout: SlotLayout { table.withLock(\.layout) }

    // MARK: Processors

    /// Keeps the processors out, unless they are.
    mutating func quiesce() {
        guard !isQuiesced else { return }
        gate.quiesce()
        isQuiesced = true
        table.withLock { $0.counters.quiesces += 1 }
    }

    /// Lets the processors run, if they are kept out.
    mutating func resume() {
        guard isQuiesced else { return }
        isQuiesced = false
        gate.resume()
    }

    // MARK: Changes

    /// Removes slots and adds others. What the logs of those that go have is handed over first.
    /// - Throws: nothing has changed then, unless the error says so.
    mutating func carryOut(_ change: SlotChange) throws(SlotFailure) {
        try harvest(change.removed)
        var removed = 0
        var added = 0
        do throws(SlotFailure) {
            for slot in change.removed {
                try remove(slot)
                removed += 1
            }
            for slot in change.added {
                try add(slot)
                added += 1
            }
        } catch {
            throw undo(removed: change.removed.prefix(removed), added: change.added.prefix(added), after: error)
        }
    }

    /// Removes those that can be removed. What logs have is handed over as far as it can be read: nobody can try again.
    mutating func removeAll() {
        for slot in layout.slots {
            if slot.flags.contains(.logDirtyPages) { quiesce() }
            try? harvest(slot)
            try? remove(slot)
        }
    }

    /// Forgets them all, which no processor uses any more. What logs have is handed over as far as it can be read.
    mutating func abandon() {
        for slot in layout.slots { try? harvest(slot) }
        table.withLock { $0.forget() }
    }

    /// Undoes as much as can be, the last first: what cannot be put back must not keep others out.
    private mutating func undo(
        removed: ArraySlice<MemorySlot>, added: ArraySlice<MemorySlot>, after failure: SlotFailure
    ) -> SlotFailure {
        var failure = failure
        for slot in added.reversed() {
            failure.undo { () throws(SlotFailure) in
                // The guest may have written to it since.
                if slot.flags.contains(.logDirtyPages) { quiesce() }
                try harvest(slot)
                try remove(slot)
                countUndone()
            }
        }
        for slot in removed.reversed() {
            failure.undo { () throws(SlotFailure) in
                try add(slot)
                countUndone()
            }
        }
        return failure
    }

    private func countUndone() {
        table.withLock { $0.counters.stepsUndone += 1 }
    }

    private func add(_ slot: MemorySlot) throws(SlotFailure) {
        let id = try SlotFailure.wrap(.add, slot) { () throws(KVMError) in try calls.addMemorySlot(slot) }
        table.withLock { $0.insert(slot, id) }
    }

    private func remove(_ slot: MemorySlot) throws(SlotFailure) {
        guard let id = table.withLock({ $0.id(of: slot) }) else { return }
        try SlotFailure.wrap(.remove, slot) { () throws(KVMError) in try calls.removeMemorySlot(id) }
        table.withLock { $0.remove(slot) }
    }

    // MARK: Dirty logs

    /// Makes all slots that the guest can write log dirty pages, or stop it.
    /// - Throws: nothing has changed then, unless the error says so.
    mutating func setLogging(_ isOn: Bool) throws(SlotFailure) {
        if !isOn { try harvest() }
        let slots = layout.slots
        for (index, slot) in slots.enumerated() {
            do throws(SlotFailure) {
                try setLogging(isOn, of: slot)
            } catch {
                var failure = error
                for slot in slots[..<index].reversed() {
                    failure.undo { () throws(SlotFailure) in
                        if try setLogging(!isOn, of: slot.loggingDirtyPages(isOn)) { countUndone() }
                    }
                }
                throw failure
            }
        }
        if !isOn { log = [] }
    }

    /// Switches the logs of the slots that `other` has as well, but for that, as they are there.
    /// - Throws: some may have been switched then.
    mutating func setLogging(as other: SlotLayout) throws(SlotFailure) {
        for slot in layout.slots {
            let isOn = !slot.flags.contains(.logDirtyPages)
            guard other.index(of: slot.loggingDirtyPages(isOn)) != nil else { continue }
            if !isOn { try harvest(slot) }
            try setLogging(isOn, of: slot)
        }
    }

    /// - Returns: whether that took a call.
    @discardableResult
    private func setLogging(_ isOn: Bool, of slot: MemorySlot) throws(SlotFailure) -> Bool {
        let flags = slot.loggingDirtyPages(isOn).flags
        guard flags != slot.flags, let id = table.withLock({ $0.id(of: slot) }) else { return false }
        try SlotFailure.wrap(.setFlags, slot) { () throws(KVMError) in try calls.setMemorySlotFlags(id, flags) }
        table.withLock { $0.setFlags(flags, of: slot) }
        return true
    }

    /// Hands over what all dirty logs have.
    mutating func harvest() throws(SlotFailure) {
        try harvest(layout.slots)
    }

    /// Hands over what the dirty logs of these have.
    mutating func harvest(_ slots: [MemorySlot]) throws(SlotFailure) {
        for slot in slots { try harvest(slot) }
    }

    private mutating func harvest(_ slot: MemorySlot) throws(SlotFailure) {
        guard slot.flags.contains(.logDirtyPages), let id = table.withLock({ $0.id(of: slot) }) else { return }
        let count = slot.dirtyLogWordCount
        if log.count < count { log = Array(repeating: 0, count: count) }
        let pages = try log.withUnsafeMutableBufferPointer { (room) throws(SlotFailure) in
            let words = UnsafeMutableBufferPointer(rebasing: room.prefix(count))
            try SlotFailure.wrap(.readDirtyLog, slot) { () throws(KVMError) in try calls.getDirtyLog(id, into: words) }
            let pages = words.reduce(0) { $0 + $1.nonzeroBitCount }
            if pages > 0 { onDirtyPages(slot.range, UnsafeBufferPointer(words)) }
            return pages
        }
        table.withLock { $0.counters.pagesHarvested += UInt64(pages) }
    }
}
