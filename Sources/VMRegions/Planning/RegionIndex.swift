import VMAddressSpace

/// Where a region is.
struct RegionExtent: TreeInterval, Sendable {
    let first: UInt64
    let last: UInt64
    let id: RegionID
    var order: UInt64 { id.rawValue }

    init(_ region: Region) {
        first = region.range.start.rawValue
        last = region.range.last.rawValue
        id = region.id
    }
}

/// The regions there are, by number and by address.
struct RegionIndex: Sendable {
    private var regions: [RegionID: Region] = [:]
    private var extents = IntervalTree<RegionExtent>()

    subscript(id: RegionID) -> Region? { regions[id] }

    var count: Int { regions.count }

    /// By where they start; those that start together, the oldest first.
    var all: [Region] { extents.all.compactMap { regions[$0.id] } }

    /// Puts a region in the place of what had its number, or, where it is nil, removes that.
    mutating func set(_ id: RegionID, to region: Region?) {
        let old = regions[id]
        if old?.range != region?.range {
            if let old { extents.remove(RegionExtent(old)) }
            if let region { extents.insert(RegionExtent(region)) }
        }
        regions[id] = region
    }

    /// Calls `body` with the regions that have an address in a range.
    func forEach(overlapping range: MemoryRange, _ body: (Region) -> Void) {
        extents.forEach(overlapping: range.start.rawValue, range.last.rawValue) { extent in
            if let region = regions[extent.id] { body(region) }
        }
    }
}
