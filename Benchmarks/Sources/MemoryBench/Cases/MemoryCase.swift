/// One case: a row of the table.
struct MemoryCase {
    let name: String
    /// What the peer calls the work that is the most like it.
    let peerName: String
    let goal: Goal?
    let measure: () throws -> Comparison

    /// - Parameter peerName: nil for the same as `name`.
    init(_ name: String, peerName: String? = nil, goal: Goal? = nil, measure: @escaping () throws -> Comparison) {
        self.name = name
        self.peerName = peerName ?? name
        self.goal = goal
        self.measure = measure
    }

    static func all() throws -> [MemoryCase] {
        try marks() + harvests() + dirtyRuns() + snapshots() + maps() + accesses() + faults() + registrations()
            + plans()
            + regionChanges()
    }
}
