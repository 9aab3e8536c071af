import KVM
import VMDirtyTracking

/// The slots of a partition that are in the kernel, and the processors that see them. What fails is undone.
struct InstalledSlots: Sendable {
    let calls: any MemorySlotCalls
    private let gate: KVMPartition.ProcessorGate
    let dirtyPages: any DirtyPageSink
    /// Asked for once, with the first memory that the guest may not write.
    private(set) lazy var hasReadOnlyMemory = calls.hasReadOnlyMemory
    private(set) var isQuiesced = false
    let table: SlotTable
    /// How the slots that the guest can write log dirty pages; nil where they do not.
    var method: DirtyTrackingMethod?
    /// How the kernel was told to keep their logs.
    var protection = VirtualMachine.DirtyLogProtection.automatic
    /// Whether logs began with all pages, none of which was protected.
    var beganFull = false
    /// Room for a dirty log.
    var log: [UInt64] = []

    init(
        _ calls: any MemorySlotCalls, _ gate: KVMPartition.ProcessorGate, _ table: SlotTable,
        _ dirtyPages: any DirtyPageSink
    ) {
        self.calls = calls
        self.gate = gate
        self.table = table
        self.dirtyPages = dirtyPages
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
        try harvest(change.removed, goesOn: false)
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
            try? harvest([slot])
            try? remove(slot)
        }
    }

    /// Forgets them all, which no processor uses any more. What logs have is handed over as far as it can be read.
    mutating func abandon() {
        for slot in layout.slots { try? harvest([slot]) }
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
                try harvest([slot])
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

    private mutating func add(_ slot: MemorySlot) throws(SlotFailure) {
        // What comes later begins clean.
        if beganFull { try setProtection(.manual) }
        let id = try SlotFailure.wrap(.add, slot.range) { () throws(KVMError) in try calls.addMemorySlot(slot) }
        table.withLock { $0.insert(slot, id) }
    }

    private func remove(_ slot: MemorySlot) throws(SlotFailure) {
        guard let id = table.withLock({ $0.id(of: slot) }) else { return }
        try SlotFailure.wrap(.remove, slot.range) { () throws(KVMError) in try calls.removeMemorySlot(id) }
        table.withLock { $0.remove(slot) }
    }
}
