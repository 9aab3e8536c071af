/// Keeps the regions of a manager as they are: changes are refused while there is one. For whoever copies the guest's memory
/// while it runs.
public final class RegionHold: Sendable {
    /// Not kept: regions go with their manager.
    private weak let manager: RegionManager?

    init(_ manager: RegionManager) {
        self.manager = manager
    }

    deinit {
        guard let manager else { return }
        // Not kept: with a manager that goes, so does what it was to do.
        manager.queue.enqueue { [weak manager] in manager?.assumeIsolated { $0.endHold() } }
    }
}

extension RegionManager {
    /// Refuses changes from now on, until what is returned goes.
    /// - Throws: `notRestored`, `withinChange`.
    public func hold() throws(RegionManagerError) -> RegionHold {
        try finishUnwinding()
        holdCount += 1
        return RegionHold(self)
    }

    fileprivate func endHold() {
        holdCount -= 1
        // Regions may have lost their handles meanwhile.
        if holdCount == 0 { settle() }
    }
}
