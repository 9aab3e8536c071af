import VMAddressSpace

extension Region: TreeInterval {
    var first: UInt64 { range.start.rawValue }
    var last: UInt64 { range.last.rawValue }
    var order: UInt64 { id.rawValue }
}

/// The regions there are, by number and by address.
struct RegionIndex: Sendable {
    private var tree = IntervalTree<Region>()
    /// Where in the tree each is, by number: mostly a new one has the highest.
    private var places: [(id: RegionID, place: IntervalTree<Region>.Index)] = []

    subscript(id: RegionID) -> Region? {
        let index = index(of: id)
        return index < places.count && places[index].id == id ? tree[places[index].place] : nil
    }

    func contains(_ id: RegionID) -> Bool {
        let index = index(of: id)
        return index < places.count && places[index].id == id
    }

    /// Where in `places` a number is, or would be.
    private func index(of id: RegionID) -> Int {
        if let last = places.last, last.id < id { return places.count }
        return places.partitioningIndex { $0.id >= id }
    }

    var count: Int { tree.count }

    /// By where they start; those that start together, the oldest first.
    var all: [Region] { tree.all }

    /// Puts a region in the place of the one that has its number, or, where it is nil, removes that.
    /// - Parameter old: what the number stands for now.
    mutating func set(_ id: RegionID, from old: Region?, to new: Region?) {
        let index = index(of: id)
        if let old, let new, old.range == new.range {
            tree[places[index].place] = new
            return
        }
        if let old { tree.remove(old) }
        switch (old, new) {
        case (nil, nil): break
        case (nil, let new?): places.insert((id, tree.insert(new)), at: index)
        case (_?, nil): places.remove(at: index)
        case (_?, let new?): places[index].place = tree.insert(new)
        }
    }

    /// Calls `body` with the regions that have an address in a range.
    func forEach(overlapping range: MemoryRange, _ body: (Region) -> Void) {
        tree.forEach(overlapping: range.start.rawValue, range.last.rawValue, body)
    }
}
