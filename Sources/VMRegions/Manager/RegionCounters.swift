/// What a region manager has done since it was made.
public struct RegionCounters: Hashable, Sendable, Codable {
    /// Changes that made a difference to what the guest sees.
    public internal(set) var changes: UInt64 = 0
    /// Ranges that were unmapped and mapped.
    public internal(set) var unmaps: UInt64 = 0
    public internal(set) var maps: UInt64 = 0
    /// Operations on the host's memory.
    public internal(set) var hostOperations: UInt64 = 0
    /// Changes that made no sense.
    public internal(set) var refused: UInt64 = 0
    /// Changes that failed and were taken back.
    public internal(set) var failed: UInt64 = 0

    init() {}

    mutating func countChange(unmaps: Int, maps: Int, hostOperations: Int) {
        changes += 1
        self.unmaps += UInt64(unmaps)
        self.maps += UInt64(maps)
        self.hostOperations += UInt64(hostOperations)
    }
}
