import VMAddressSpace

/// Memory ranges in ascending order, none of which overlap. Neighbours that touch stay apart: each remains what it was
/// when it came in. Finding takes a binary search.
struct DisjointRanges: Hashable, Sendable {
    private(set) var ranges: [MemoryRange] = []

    /// The length of all together, in bytes. It cannot overflow below 2^64 bytes of address space.
    var byteCount: UInt64 {
        ranges.reduce(0) { $0 + $1.count }
    }

    /// Those that share an address with `range`, whole.
    func overlapping(_ range: MemoryRange) -> ArraySlice<MemoryRange> {
        let first = ranges.partitioningIndex { $0.last >= range.start }
        return ranges[first...].prefix { $0.start <= range.last }
    }

    /// What they have in common with `range`.
    func clipped(to range: MemoryRange) -> [MemoryRange] {
        overlapping(range).compactMap { $0.intersection(range) }
    }

    /// What of `range` is in none of them, ascending.
    func gaps(in range: MemoryRange) -> [MemoryRange] {
        Array(range.subtracting(overlapping(range)))
    }

    /// Adds a range that overlaps none.
    mutating func insert(_ range: MemoryRange) {
        ranges.insert(range, at: ranges.partitioningIndex { $0.start > range.start })
    }

    /// Takes `range` out; ranges that reach past it keep the rest.
    mutating func remove(_ range: MemoryRange) {
        let affected = overlapping(range)
        let rests = affected.flatMap { $0.subtracting(CollectionOfOne(range)) }
        ranges.replaceSubrange(affected.indices, with: rests)
    }
}
