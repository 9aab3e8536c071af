import VMAddressSpace

/// Where a run of a backing's bytes is. Only kept of backings whose pages are at one place at most, so no two overlap.
struct BackingUse: TreeInterval, Sendable {
    /// In the backing.
    let first: UInt64
    let last: UInt64
    let region: RegionID
    /// In the region, of the first byte.
    let offset: UInt64
    var order: UInt64 { 0 }

    init(_ mapping: RegionMapping, of region: RegionID) {
        first = mapping.backingOffset
        last = mapping.backingOffset + (mapping.count - 1)
        self.region = region
        offset = mapping.offset
    }
}

/// The backings there are, and which regions have mappings of them.
struct BackingTable: Sendable {
    private struct Entry {
        let id: BackingID
        let description: BackingDescription
        /// How many mappings there are of it.
        var mappingCount = 0
        /// Empty for a backing whose pages can be at several places.
        var uses = IntervalTree<BackingUse>()

        mutating func change(_ mapping: RegionMapping, of region: RegionID, by difference: Int) {
            mappingCount += difference
            guard !description.isShareable else { return }
            let use = BackingUse(mapping, of: region)
            if difference > 0 { uses.insert(use) } else { uses.remove(use) }
        }
    }

    /// By number.
    private var entries: [Entry] = []
    /// The backings that no region has a mapping of.
    private(set) var unused: [BackingID] = []
    private var next = BackingID.first

    subscript(id: BackingID) -> BackingDescription? {
        index(of: id).map { entries[$0].description }
    }

    private func index(of id: BackingID) -> Int? {
        let index = entries.partitioningIndex { $0.id >= id }
        return index < entries.count && entries[index].id == id ? index : nil
    }

    func description(of id: BackingID) throws(RegionError) -> BackingDescription {
        guard let description = self[id] else { throw .noSuchBacking(id) }
        return description
    }

    /// By number.
    var all: [(id: BackingID, description: BackingDescription)] { entries.map { ($0.id, $0.description) } }

    mutating func add(_ description: BackingDescription) -> BackingID {
        let id = next
        next = BackingID(rawValue: id.rawValue + 1)
        entries.append(Entry(id: id, description: description))
        unused.append(id)
        return id
    }

    mutating func remove(_ id: BackingID) {
        if let index = index(of: id) { entries.remove(at: index) }
        unused.removeAll { $0 == id }
    }

    /// Whether some region has a mapping of a backing.
    func isUsed(_ id: BackingID) -> Bool {
        index(of: id).map { entries[$0].mappingCount > 0 } ?? false
    }

    /// Calls `body` with where bytes of a backing are that can only be at one place.
    func forEachUse(of id: BackingID, _ first: UInt64, _ last: UInt64, _ body: (BackingUse) -> Void) {
        if let index = index(of: id) { entries[index].uses.forEach(overlapping: first, last, body) }
    }

    /// Notes that a region has other mappings than before. What both lists begin and end with is passed over.
    mutating func replace(_ old: [RegionMapping], with new: [RegionMapping], of region: RegionID) {
        let shorter = min(old.count, new.count)
        var prefix = 0
        while prefix < shorter, old[prefix] == new[prefix] { prefix += 1 }
        var suffix = 0
        while suffix < shorter - prefix, old[old.count - 1 - suffix] == new[new.count - 1 - suffix] { suffix += 1 }
        for mapping in old[prefix..<(old.count - suffix)] { change(mapping, of: region, by: -1) }
        for mapping in new[prefix..<(new.count - suffix)] { change(mapping, of: region, by: 1) }
    }

    private mutating func change(_ mapping: RegionMapping, of region: RegionID, by difference: Int) {
        guard let index = index(of: mapping.backing) else { return }
        let wasUsed = entries[index].mappingCount > 0
        entries[index].change(mapping, of: region, by: difference)
        let isUsed = entries[index].mappingCount > 0
        guard isUsed != wasUsed else { return }
        if isUsed { unused.removeAll { $0 == mapping.backing } } else { unused.append(mapping.backing) }
    }
}
