import VMAddressSpace

/// A named range of guest-physical addresses, with memory in parts of it or all of it.
///
/// While it is mapped, it hides what lies beneath, over its whole range: where it has no mapping, the guest finds nothing
/// there, and its accesses go to devices.
public struct Region: Hashable, Sendable {
    public let id: RegionID
    /// For people; several may have the same.
    public let name: String
    /// Where the guest sees it.
    public internal(set) var range: MemoryRange
    /// Which of several that overlap is seen: the one with the highest; of equal ones, the oldest.
    public let priority: UInt8
    /// How it is mapped; nil while it is not.
    public internal(set) var parameters: MapParameters?
    /// Ascending and disjoint.
    public internal(set) var mappings: [RegionMapping] = []
}

extension Region {
    /// The guest-physical address of an offset within.
    func address(of offset: UInt64) -> UInt64 { range.start.rawValue + offset }

    /// The offset of its last byte.
    var lastOffset: UInt64 { range.last.rawValue - range.start.rawValue }

    /// The first mapping that ends at `offset` or later.
    func firstMapping(endingAtOrAfter offset: UInt64) -> Int {
        mappings.partitioningIndex { $0.last >= offset }
    }
}
