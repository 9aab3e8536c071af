import VMAddressSpace

/// Makes numbers for regions, each of which is for one region alone, also when that is gone.
struct RegionNumbers: Sendable {
    private var next: UInt64 = 1
    /// Those that are made and that no region has, or had, ascending.
    private var unused: [RegionID] = []

    mutating func make() -> RegionID {
        defer { next += 1 }
        let id = RegionID(rawValue: next)
        unused.append(id)
        return id
    }

    /// - Throws: `numberInUse`, `foreignNumber` where a new region cannot have the number.
    func check(_ id: RegionID) throws(RegionError) {
        let index = index(of: id)
        if index < unused.count, unused[index] == id { return }
        throw (1..<next).contains(id.rawValue) ? .numberInUse(id) : .foreignNumber(id)
    }

    /// A region has the number now, or none is to have it; one that is not unused stays as it is.
    mutating func use(_ id: RegionID) {
        let index = index(of: id)
        if index < unused.count, unused[index] == id { unused.remove(at: index) }
    }

    /// No region has had the number after all.
    mutating func giveBack(_ id: RegionID) {
        unused.insert(id, at: index(of: id))
    }

    /// Where among the unused ones a number is, or would be.
    private func index(of id: RegionID) -> Int {
        unused.partitioningIndex { $0 >= id }
    }
}
