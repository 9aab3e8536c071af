import VMDirtyTracking

/// What a method costs under a load: medians, but for the exits.
struct MethodFigures {
    let method: DirtyTrackingMethod
    /// How many pages the guest wrote in a second, with tracking and without.
    let tracked: Double
    let untracked: Double
    /// How long a harvest took, in milliseconds.
    let harvestTime: Double
    /// How many pages a harvest had.
    let pageCount: Double
    /// How often in a second the guest was stopped because its ring was full: from how many pages were taken out of it.
    let fullRings: Double

    /// How much less the guest wrote for being tracked; 1 for all of it.
    var loss: Double { 1 - tracked / untracked }

    /// How long a harvest takes for a GiB that was written, in milliseconds.
    var timePerGiB: Double? { pageCount == 0 ? nil : harvestTime / (pageCount * 4096 / Double(1 << 30)) }
}
