import VMAddressSpace

/// What a series of changes has done so far.
struct RegionTransaction {
    /// How regions were before each change.
    private(set) var previous: [PreviousRegion] = []
    private var touched: [MemoryRange] = []

    /// - Parameter range: where the view may be another now.
    mutating func record(_ id: RegionID, was region: Region?, touching range: MemoryRange?) {
        previous.append(PreviousRegion(id: id, region: region))
        if let range { touched.append(range) }
    }

    mutating func touch(_ range: MemoryRange) {
        touched.append(range)
    }

    /// Where the view may be another, ascending, neighbours joined.
    var touchedRanges: [MemoryRange] {
        touched.count < 2 ? touched : Array(touched.sorted().merged())
    }
}
