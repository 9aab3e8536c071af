/// Makes numbers for regions, each of which is for one region alone, also when that is gone.
struct RegionNumbers: Sendable {
    private var next: UInt64 = 1
    /// Those that are made and that no region has, or had.
    private var unused: Set<RegionID> = []

    mutating func make() -> RegionID {
        defer { next += 1 }
        let id = RegionID(rawValue: next)
        unused.insert(id)
        return id
    }

    /// - Throws: `numberInUse`, `foreignNumber` where a new region cannot have the number.
    func check(_ id: RegionID) throws(RegionError) {
        guard !unused.contains(id) else { return }
        throw (1..<next).contains(id.rawValue) ? .numberInUse(id) : .foreignNumber(id)
    }

    /// A region has the number now.
    mutating func use(_ id: RegionID) {
        unused.remove(id)
    }

    /// No region has had the number after all.
    mutating func giveBack(_ id: RegionID) {
        unused.insert(id)
    }
}
