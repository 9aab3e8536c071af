import VMAddressSpace

extension Region: TreeInterval {
    var first: UInt64 { range.start.rawValue }
    var last: UInt64 { range.last.rawValue }
    var order: UInt64 { id.rawValue }
}

/// The regions there are, by number and by address.
struct RegionIndex: Sendable {
    private var tree = IntervalTree<Region>()
    private var places: [RegionID: IntervalTree<Region>.Index] = [:]

    subscript(id: RegionID) -> Region? {
        places[id].flatMap { tree[$0] }
    }

    var count: Int { tree.count }

    /// By where they start; those that start together, the oldest first.
    var all: [Region] { tree.all }

    /// Puts a region in the place of the one that has its number, or, where it is nil, removes that.
    /// - Parameter old: what the number stands for now.
    mutating func set(_ id: RegionID, from old: Region?, to new: Region?) {
        if let old, let new, old.range == new.range {
            if let place = places[id] { tree[place] = new }
            return
        }
        if let old { tree.remove(old) }
        places[id] = new.map { tree.insert($0) }
    }

    /// Calls `body` with the regions that have an address in a range.
    func forEach(overlapping range: MemoryRange, _ body: (Region) -> Void) {
        tree.forEach(overlapping: range.start.rawValue, range.last.rawValue, body)
    }
}
