import VMAddressSpace

/// Changes to regions that are to happen at once.
public struct RegionUpdate: Sendable {
    enum Change: Sendable {
        case plain(RegionChange)
        case add(RegionID, RegionDefinition)
        case addMapping(RegionID, RegionMapping, RegionBacking)
    }

    private(set) var changes: [Change] = []
    /// The regions it is about, which are kept until it is made.
    private(set) var regions: [RegionHandle] = []

    public init() {}

    /// Maps a region, or changes how it is mapped.
    public mutating func map(_ region: RegionHandle, _ parameters: MapParameters = MapParameters()) {
        append(.plain(.map(region.id, parameters)), to: region)
    }

    /// Hides a region; what it hid is seen again.
    public mutating func unmap(_ region: RegionHandle) {
        append(.plain(.unmap(region.id)), to: region)
    }

    /// Puts memory into a region, in the place of what was there.
    /// - Parameters:
    ///   - offset: in the region, in bytes, a multiple of 4096, as `count` and `backingOffset` are.
    ///   - isWritable: nil for what the backing allows. The guest can write where the region is mapped writable too.
    public mutating func addMapping(
        to region: RegionHandle, at offset: UInt64 = 0, of backing: RegionBacking, backingOffset: UInt64 = 0,
        count: UInt64, isWritable: Bool? = nil
    ) {
        // The manager knows the backing's number.
        let mapping = RegionMapping(
            offset: offset, count: count, backing: BackingID(rawValue: 0), backingOffset: backingOffset,
            isWritable: isWritable ?? backing.isWritable)
        append(.addMapping(region.id, mapping, backing), to: region)
    }

    /// Takes memory out of a part of a region; mappings that reach beyond are cut.
    public mutating func removeMappings(from region: RegionHandle, at offset: UInt64, count: UInt64) {
        append(.plain(.removeMappings(region.id, offset: offset, count: count)), to: region)
    }

    /// Moves a region with its memory.
    public mutating func move(_ region: RegionHandle, to address: GuestAddress) {
        append(.plain(.move(region.id, to: address)), to: region)
    }

    /// Gives a region another length, in bytes; memory past the new end is cut off.
    public mutating func resize(_ region: RegionHandle, to count: UInt64) {
        append(.plain(.resize(region.id, count: count)), to: region)
    }

    /// Removes a region. Its handle is of no use then.
    public mutating func remove(_ region: RegionHandle) {
        append(.plain(.remove(region.id)), to: region)
    }

    private mutating func append(_ change: Change, to region: RegionHandle) {
        changes.append(change)
        regions.append(region)
    }
}
