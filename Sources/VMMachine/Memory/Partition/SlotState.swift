import KVM
import VMAddressSpace
import VMDirtyTracking
import VMRegions

/// What a partition is to show the guest, and what it does show.
///
/// In a change that keeps the processors out the two differ for a while: slots that come back are left in, and what is
/// left of slots that were cut comes with the memory that is mapped next. So no slot goes or comes in vain.
///
/// They also differ once something could not be undone. Until it is, no processor runs that would find memory missing, or
/// memory that it is not to see.
struct SlotState: Sendable {
    /// What the guest is to see. What is installed is the same where `isSettled`.
    private var planned = SlotLayout()
    private(set) var installed: InstalledSlots
    /// Whether a change has begun and not ended.
    private var isChanging = false
    private var change: QuiescedChange?
    /// False while a change needs the two to differ, and once something could not be undone, until it is.
    private var isSettled = true
    private(set) var isLogging = false
    /// Whether the slots are the VM's alone, which is about to go.
    private(set) var isAbandoned = false

    init(_ installed: InstalledSlots) {
        self.installed = installed
    }
}

// MARK: The steps of a change

extension SlotState {
    /// Begins a change that takes nothing away.
    mutating func begin() throws(SlotStateError) {
        do throws(SlotStateError) {
            try settle()
            isChanging = true
        } catch {
            resumeIfWhole()
            throw error
        }
    }

    mutating func begin(_ announced: PartitionChange, _ mapped: [MemorySlot]) throws(SlotStateError) {
        do throws(SlotStateError) {
            try settle()
            let unmapping = try SlotStateError.wrap { () throws(SlotLayoutError) in
                try planned.unmapping(announced.unmapped)
            }
            // Processors that run would see, for a moment, neither what goes nor what comes.
            if needsQuiesce(unmapping) || !announced.mapped.isEmpty { installed.quiesce() }
            if installed.isQuiesced {
                var after = planned
                after.apply(unmapping)
                after.apply(try SlotStateError.wrap { () throws(SlotLayoutError) in try after.mapping(mapped) })
                change = QuiescedChange(announced: announced, before: planned, after: after.coalesced())
            }
            isChanging = true
        } catch {
            resumeIfWhole()
            throw error
        }
    }

    /// The slots for memory that is to be mapped.
    mutating func slots(for mappings: [PartitionMapping]) throws(SlotStateError) -> [MemorySlot] {
        try mappings.mapFew { (mapping) throws(SlotStateError) in
            guard mapping.isWritable || installed.hasReadOnlyMemory else { throw .noReadOnlyMemory(mapping.range) }
            return try MemorySlot(mapping).loggingDirtyPages(isLogging)
        }
    }

    mutating func unmap(_ ranges: [MemoryRange]) throws(SlotStateError) {
        let unmapping = try SlotStateError.wrap { () throws(SlotLayoutError) in try planned.unmapping(ranges) }
        if needsQuiesce(unmapping) { installed.quiesce() }
        guard installed.isQuiesced || !isSettled else {
            try carryOut(unmapping)
            planned.apply(unmapping)
            return
        }
        let isAnnounced = ranges == change?.announced.unmapped
        if let change, change.isFollowedByMap(after: ranges) {
            let overlapping = installed.layout.slots(overlapping: ranges)
            // Also of the slots that stay: other memory may come behind them, which the guest has not written.
            try perform { (installed) throws(SlotFailure) in try installed.harvest(overlapping.filter(change.keeps)) }
            try carryOut(SlotChange(removed: overlapping.filter { !change.keeps($0) }))
            isSettled = false
            planned.apply(unmapping)
        } else {
            var after = planned
            after.apply(unmapping)
            after = target(after, isAnnounced: isAnnounced)
            try reach(after)
            planned = after
        }
        change?.hasUnmapped = isAnnounced
        // What was to become of it took the rest to stay.
        if !isAnnounced { change?.leadsToAfter = false }
    }

    mutating func map(_ mappings: [PartitionMapping], _ slots: [MemorySlot]) throws(SlotStateError) {
        let mapping = try SlotStateError.wrap { () throws(SlotLayoutError) in try planned.mapping(slots) }
        guard installed.isQuiesced || !isSettled else {
            try carryOut(mapping)
            planned.apply(mapping)
            return
        }
        let isAnnounced = mappings == change?.announced.mapped
        let after: SlotLayout
        if isAnnounced, let change, change.hasUnmapped, change.leadsToAfter {
            after = change.after
        } else {
            var changed = planned
            changed.apply(mapping)
            after = target(changed, isAnnounced: isAnnounced)
        }
        // What comes after a failure is another change.
        change?.leadsToAfter = false
        try reach(after)
        planned = after
    }

    /// Undoes what could not be undone at once.
    mutating func restore() throws(SlotStateError) {
        try settle()
    }

    mutating func end() {
        change = nil
        isChanging = false
        // What cannot be done now is tried again when the next change begins, which then says why.
        try? settle()
        resumeIfWhole()
    }

    /// Removes what can be removed of all slots, once their logs have been handed over.
    mutating func removeAll() {
        installed.removeAll()
        installed.resume()
    }

    /// Forgets all slots, once their logs have been handed over.
    mutating func abandon() {
        installed.abandon()
        installed.resume()
        planned = SlotLayout()
        change = nil
        isChanging = false
        isSettled = true
        isLogging = false
        isAbandoned = true
    }

    /// How memory is to be laid out in slots at the end of a change. What was announced is laid out anew as a whole: the
    /// processors are out anyway, and slots that came one by one become one. What undoes it brings back what was there.
    private func target(_ after: SlotLayout, isAnnounced: Bool) -> SlotLayout {
        guard let change else { return after }
        let coalesced = after.coalesced()
        return !isAnnounced && coalesced == change.before.coalesced() ? change.before : coalesced
    }
}

// MARK: The dirty log

extension SlotState {
    mutating func startLogging(_ method: DirtyTrackingMethod, isInitiallySet: Bool) throws(SlotStateError) {
        guard !isLogging else { return }
        try performSettled { (installed) throws(SlotFailure) in
            try installed.startLogging(method, isInitiallySet: isInitiallySet)
        }
        noteLogging(true)
    }

    mutating func stopLogging() throws(SlotStateError) {
        guard isLogging else { return }
        try performSettled { (installed) throws(SlotFailure) in
            // If it fails halfway the log is switched on again, with nothing written in between.
            installed.quiesce()
            try installed.stopLogging()
        }
        noteLogging(false)
    }

    private mutating func noteLogging(_ isOn: Bool) {
        planned.setLogging(isOn)
        change?.leadsToAfter = false
        isLogging = isOn
    }

    mutating func read(_ range: MemoryRange?, into round: inout DirtyRound) throws(SlotStateError) {
        try performSettled { (installed) throws(SlotFailure) in try installed.read(range, into: &round) }
    }

    /// Runs `body` with what is installed as it is planned, unless a change is just at it.
    private mutating func performSettled(
        _ body: (inout InstalledSlots) throws(SlotFailure) -> Void
    ) throws(SlotStateError) {
        let wasQuiesced = installed.isQuiesced
        defer { if !isChanging || !wasQuiesced { resumeIfWhole() } }
        if change == nil { try settle() }
        try perform(body)
    }
}

// MARK: What is done to the slots

extension SlotState {
    /// Whether vCPUs would see memory vanish that stays, or could write what no log has.
    private func needsQuiesce(_ unmapping: SlotChange) -> Bool {
        !unmapping.added.isEmpty || unmapping.removed.contains { $0.flags.contains(.logDirtyPages) }
    }

    /// Whether the guest sees the memory that it is to see, and no other.
    private var isWhole: Bool { isSettled || installed.layout.hasSameMemory(as: planned) }

    private mutating func resumeIfWhole() {
        if isWhole { installed.resume() }
    }

    /// Makes what is installed what is planned.
    private mutating func settle() throws(SlotStateError) {
        guard !isSettled else { return }
        installed.quiesce()
        // So that no slot has to go, and might not come back, for the sake of its log.
        let planned = planned
        try perform { (installed) throws(SlotFailure) in try installed.setLogging(as: planned) }
        try reach(planned)
    }

    private mutating func reach(_ layout: SlotLayout) throws(SlotStateError) {
        try carryOut(installed.layout.difference(to: layout))
        isSettled = true
    }

    private mutating func carryOut(_ change: SlotChange) throws(SlotStateError) {
        try perform { (installed) throws(SlotFailure) in try installed.carryOut(change) }
    }

    private mutating func perform(
        _ body: (inout InstalledSlots) throws(SlotFailure) -> Void
    ) throws(SlotStateError) {
        do throws(SlotFailure) {
            try body(&installed)
        } catch {
            if !error.isUndone {
                isSettled = false
                if !isWhole { installed.quiesce() }
            }
            throw .slot(error)
        }
    }
}
