/// The regions of a map, whose records it keeps alive: in a tree of three levels that maps share, so that a change of a map
/// counts references to the records of one leaf, to the leaves of one branch, and otherwise to branches.
struct RegionList {
    /// No leaf is empty.
    private struct Branch {
        var leaves: [[RegionRecord]]
        var count: Int

        /// The leaf that has the region at `index`, or where it would be appended, and its place there.
        func place(_ index: Int) -> (leaf: Int, offset: Int) {
            var offset = index
            for leaf in leaves.indices.dropLast() {
                guard offset >= leaves[leaf].count else { return (leaf, offset) }
                offset -= leaves[leaf].count
            }
            return (leaves.count - 1, offset)
        }
    }

    /// None is empty.
    private var branches: [Branch] = []
    private(set) var count = 0

    /// How much of each level is in the one above, at first. What has grown to more than twice of that is cut in two.
    private static let width = 8

    init(_ records: [RegionRecord]) {
        count = records.count
        guard count > Self.width else {
            // As of most guests, which then takes no copies.
            if count > 0 { branches = [Branch(leaves: [records], count: count)] }
            return
        }
        let leaves = records.cut(into: Self.width).map(Array.init)
        branches = leaves.cut(into: Self.width).map { leaves in
            Branch(leaves: Array(leaves), count: leaves.reduce(0) { $0 + $1.count })
        }
    }

    var all: [any GuestMemoryRegion] {
        var all: [any GuestMemoryRegion] = []
        all.reserveCapacity(count)
        for branch in branches { for leaf in branch.leaves { for record in leaf { all.append(record.region) } } }
        return all
    }

    /// The branch that has the region at `index`, or where it would be appended, and where it is there. There is a branch.
    private func place(_ index: Int) -> (branch: Int, leaf: Int, offset: Int) {
        var offset = index
        var branch = 0
        while branch < branches.count - 1, offset >= branches[branch].count {
            offset -= branches[branch].count
            branch += 1
        }
        let place = branches[branch].place(offset)
        return (branch, place.leaf, place.offset)
    }

    mutating func insert(_ record: RegionRecord, at index: Int) {
        count += 1
        guard !branches.isEmpty else {
            branches = [Branch(leaves: [[record]], count: 1)]
            return
        }
        let (branch, leaf, offset) = place(index)
        branches[branch].count += 1
        branches[branch].leaves[leaf].insert(record, at: offset)
        guard branches[branch].leaves[leaf].count > 2 * Self.width else { return }
        let records = branches[branch].leaves[leaf].cutTail(from: Self.width)
        branches[branch].leaves.insert(records, at: leaf + 1)
        guard branches[branch].leaves.count > 2 * Self.width else { return }
        let leaves = branches[branch].leaves.cutTail(from: Self.width)
        let moved = Branch(leaves: leaves, count: leaves.reduce(0) { $0 + $1.count })
        branches[branch].count -= moved.count
        branches.insert(moved, at: branch + 1)
    }

    mutating func remove(at index: Int) {
        let (branch, leaf, offset) = place(index)
        count -= 1
        branches[branch].count -= 1
        branches[branch].leaves[leaf].remove(at: offset)
        guard branches[branch].leaves[leaf].isEmpty else { return }
        branches[branch].leaves.remove(at: leaf)
        if branches[branch].leaves.isEmpty { branches.remove(at: branch) }
    }

    mutating func replace(at index: Int, with record: RegionRecord) {
        let (branch, leaf, offset) = place(index)
        branches[branch].leaves[leaf][offset] = record
    }
}

extension Array {
    /// Runs of so many elements, of which the last may have fewer.
    fileprivate func cut(into length: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: count, by: length).map { self[$0..<Swift.min($0 + length, count)] }
    }

    /// Takes away all from an index on.
    fileprivate mutating func cutTail(from index: Int) -> [Element] {
        defer { removeSubrange(index...) }
        return Array(self[index...])
    }
}
