import VMAddressSpace

/// One change to a set of regions. All that is asked of a planner in one call happens, or nothing.
public enum RegionChange: Hashable, Sendable {
    /// A new region.
    /// - Parameters:
    ///   - id: from `RegionPlanner.makeRegionID()`.
    ///   - mappings: its memory; where two would be at the same place, the later one is.
    ///   - parameters: how it is mapped; nil for not at all.
    case add(
        RegionID, name: String, range: MemoryRange, priority: UInt8, mappings: [RegionMapping] = [],
        parameters: MapParameters? = nil)
    /// Removes a region and its mappings.
    case remove(RegionID)
    /// Maps a region, or changes how it is mapped.
    case map(RegionID, MapParameters)
    /// Hides a region; what it hid is seen again.
    case unmap(RegionID)
    /// Puts memory into a region; where it had some already, the new takes its place.
    case addMapping(RegionID, RegionMapping)
    /// Takes memory out of a part of a region, cutting the mappings that reach beyond.
    case removeMappings(RegionID, offset: UInt64, count: UInt64)
    /// Moves a region, with its mappings, so that it starts elsewhere.
    case move(RegionID, to: GuestAddress)
    /// Gives a region another length, in bytes; mappings past the new end are cut.
    case resize(RegionID, count: UInt64)
}
