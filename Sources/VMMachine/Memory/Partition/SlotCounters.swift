/// What a partition has done so far, for inspection.
public struct SlotCounters: Hashable, Codable, Sendable {
    /// Memory slots added, those included that put back what had been removed before a failure.
    public var slotsAdded: UInt64 = 0
    /// Memory slots removed, those included that had been added before a failure. The difference of the two is how many
    /// slots there are.
    public var slotsRemoved: UInt64 = 0
    /// How often the processors were kept out.
    public var quiesces: UInt64 = 0
    /// Calls that undid others because a later one failed.
    public var stepsUndone: UInt64 = 0
    /// Pages that harvests found, and that the logs of slots had when they went.
    public var pagesHarvested: UInt64 = 0
}
