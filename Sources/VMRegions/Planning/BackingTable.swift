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
        let description: BackingDescription
        /// How many mappings each region has of it.
        var users: [RegionID: Int] = [:]
        /// Empty for a backing whose pages can be at several places.
        var uses = IntervalTree<BackingUse>()

        /// - Returns: whether any region has a mapping of it afterwards.
        mutating func change(_ mapping: RegionMapping, of region: RegionID, by difference: Int) -> Bool {
            let count = users[region, default: 0] + difference
            users[region] = count == 0 ? nil : count
            if !description.isShareable {
                let use = BackingUse(mapping, of: region)
                if difference > 0 { uses.insert(use) } else { uses.remove(use) }
            }
            return !users.isEmpty
        }
    }

    private var entries: [BackingID: Entry] = [:]
    /// The backings that no region has a mapping of.
    private(set) var unused: Set<BackingID> = []
    private var next: UInt64 = 1

    subscript(id: BackingID) -> BackingDescription? { entries[id]?.description }

    func description(of id: BackingID) throws(RegionError) -> BackingDescription {
        guard let entry = entries[id] else { throw .noSuchBacking(id) }
        return entry.description
    }

    /// By number.
    var all: [(id: BackingID, description: BackingDescription)] {
        entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
    }

    mutating func add(_ description: BackingDescription) -> BackingID {
        defer { next += 1 }
        let id = BackingID(rawValue: next)
        entries[id] = Entry(description: description)
        unused.insert(id)
        return id
    }

    mutating func remove(_ id: BackingID) {
        entries[id] = nil
        unused.remove(id)
    }

    /// The oldest region with a mapping of a backing.
    func user(of id: BackingID) -> RegionID? {
        entries[id]?.users.keys.min()
    }

    /// Calls `body` with where bytes of a backing are that can only be at one place.
    func forEachUse(of id: BackingID, _ first: UInt64, _ last: UInt64, _ body: (BackingUse) -> Void) {
        entries[id]?.uses.forEach(overlapping: first, last, body)
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
        guard let isUsed = entries[mapping.backing]?.change(mapping, of: region, by: difference) else { return }
        if !isUsed {
            unused.insert(mapping.backing)
        } else if difference > 0 {
            unused.remove(mapping.backing)
        }
    }
}
