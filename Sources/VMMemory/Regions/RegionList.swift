/// The regions of a map, whose records it keeps alive: in leaves that maps share, so that a change counts references to the
/// records of one leaf, and otherwise to leaves.
struct RegionList {
    /// None is empty.
    private var leaves: [[RegionRecord]] = []
    private(set) var count = 0

    private static let leafSize = 16

    init(_ records: [RegionRecord]) {
        count = records.count
        guard count > Self.leafSize else {
            if !records.isEmpty { leaves = [records] }
            return
        }
        for start in stride(from: 0, to: count, by: Self.leafSize) {
            leaves.append(Array(records[start..<min(start + Self.leafSize, count)]))
        }
    }

    var all: [any GuestMemoryRegion] { leaves.flatMap { $0.lazy.map(\.region) } }

    /// The leaf that has the region at `index`, or where it would be appended, and its place there. There is a leaf.
    private func place(_ index: Int) -> (leaf: Int, offset: Int) {
        var offset = index
        for leaf in leaves.indices {
            let size = leaves[leaf].count
            if offset < size || leaf == leaves.count - 1 { return (leaf, offset) }
            offset -= size
        }
        return (0, 0)
    }

    mutating func insert(_ record: RegionRecord, at index: Int) {
        if leaves.isEmpty { leaves.append([]) }
        let (leaf, offset) = place(index)
        leaves[leaf].insert(record, at: offset)
        count += 1
        if leaves[leaf].count > 2 * Self.leafSize {
            let tail = Array(leaves[leaf][Self.leafSize...])
            leaves[leaf].removeLast(tail.count)
            leaves.insert(tail, at: leaf + 1)
        }
    }

    mutating func remove(at index: Int) {
        let (leaf, offset) = place(index)
        leaves[leaf].remove(at: offset)
        if leaves[leaf].isEmpty { leaves.remove(at: leaf) }
        count -= 1
    }

    mutating func replace(at index: Int, with record: RegionRecord) {
        let (leaf, offset) = place(index)
        leaves[leaf][offset] = record
    }
}
