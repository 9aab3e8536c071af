import KVM
import VMDirtyTracking

/// Switching the dirty logs of the slots on and off.
extension InstalledSlots {
    /// Makes all slots that the guest can write log dirty pages.
    /// - Parameter isInitiallySet: whether the logs are to begin with all pages, where that saves protecting them.
    /// - Throws: nothing has changed then, unless the error says so.
    mutating func startLogging(_ method: DirtyTrackingMethod, isInitiallySet: Bool) throws(SlotFailure) {
        self.method = method
        do throws(SlotFailure) {
            switch method {
            case .log, .ring: try setProtection(.automatic)
            case .manual: try setProtection(isInitiallySet ? .manualInitiallySet : .manual)
            }
            beganFull = protection == .manualInitiallySet
            try setFlags(isLogging: true)
        } catch {
            if error.isUndone { (self.method, beganFull) = (nil, false) }
            throw error
        }
    }

    /// Makes no slot log dirty pages, once what the logs have is handed over.
    /// - Throws: nothing has changed then, unless the error says so.
    mutating func stopLogging() throws(SlotFailure) {
        // Not to be begun anew: that would take as long as a harvest, and the guest a fault for each page.
        try harvest(layout.slots, goesOn: false)
        // If it fails halfway, the logs that are switched on again are to begin clean.
        if beganFull { try setProtection(.manual) }
        try setFlags(isLogging: false)
        // All pages were marked.
        if method == .ring { calls.hasLostDirtyPages = false }
        (method, beganFull) = (nil, false)
        log = []
    }

    /// Switches the logs of the slots that `other` has as well, but for that, as they are there.
    /// - Throws: some may have been switched then.
    mutating func setLogging(as other: SlotLayout) throws(SlotFailure) {
        for slot in layout.slots {
            let isOn = !slot.flags.contains(.logDirtyPages)
            guard other.index(of: slot.loggingDirtyPages(isOn)) != nil else { continue }
            if !isOn { try harvest([slot], goesOn: false) }
            try setFlags(isLogging: isOn, of: slot)
            // The guest may have written while it had no log.
            if isOn { dirtyPages.markDirty([slot.range]) }
        }
    }

    /// - Throws: nothing has changed then, unless the error says so.
    func setFlags(isLogging isOn: Bool) throws(SlotFailure) {
        let slots = layout.slots
        var done = 0
        do throws(SlotFailure) {
            for slot in slots {
                try setFlags(isLogging: isOn, of: slot)
                done += 1
            }
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

    mutating func setProtection(_ new: VirtualMachine.DirtyLogProtection) throws(SlotFailure) {
        // A host that has no other way than the first does not know the call.
        guard new != protection else { return }
        try SlotFailure.wrap(.setProtection, nil) { () throws(KVMError) in try calls.setDirtyLogProtection(new) }
        protection = new
    }
}
