/// The regions of a map as plain values, to search and to access without counting references. It belongs to a
/// `RegionMap` and is valid as long as that.
struct RegionTable {
    /// The first page frame of each region, ascending, for the search to run over.
    let starts: UnsafeMutablePointer<Int>
    let entries: UnsafeMutablePointer<RegionEntry>
    /// Above 0.
    let count: Int

    /// - Parameter capacity: above 0. All entries are to be initialised before any other use.
    init(capacity: Int) {
        starts = .allocate(capacity: capacity)
        entries = .allocate(capacity: capacity)
        count = capacity
    }

    func deallocate() {
        starts.deallocate()
        entries.deallocate()
    }

    func initialize(_ index: Int, to entry: RegionEntry) {
        (starts + index).initialize(to: Int(truncatingIfNeeded: entry.range.start.frame))
        (entries + index).initialize(to: entry)
    }

    func copy(_ other: RegionTable, from source: Int, to target: Int, count: Int) {
        (starts + target).initialize(from: other.starts + source, count: count)
        (entries + target).initialize(from: other.entries + source, count: count)
    }

    /// The index of the last region that starts at `address` or below; 0 where there is none.
    @inline(__always)
    func lastStart(notAbove address: UInt64) -> Int {
        // Always as many steps for a table of one size, and no branch that could be mispredicted. Frame numbers have 52
        // bits, so that the sign of their difference says which is greater.
        let frame = Int(truncatingIfNeeded: address &>> 12)
        var base = 0
        var count = count
        while count > 1 {
            let half = count &>> 1
            base = base &+ (half & ~((frame &- starts[base &+ half]) &>> 63))
            count = count &- half
        }
        return base
    }

    /// The region at an address, or nil where there is none.
    @inline(__always)
    func entry(at address: UInt64) -> UnsafeMutablePointer<RegionEntry>? {
        let entry = entries + lastStart(notAbove: address)
        guard entry.start <= address, address <= entry.last else { return nil }
        return entry
    }

    /// The region that bytes lie in, all of them, if nothing stands between them and the host's memory.
    @inline(__always)
    func direct(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> UnsafeMutablePointer<RegionEntry>? {
        guard let entry = entry(at: first), count &- 1 <= entry.last &- first,
            entry.permits(first, count, isWrite: isWrite)
        else { return nil }
        return entry
    }

    /// The first address in a range without a region; nil where all of it has one.
    func firstGap(_ first: UInt64, _ last: UInt64) -> UInt64? {
        guard let found = entry(at: first) else { return first }
        var entry = found
        while entry.last < last {
            let next = entry.last + 1
            entry += 1
            guard entry < entries + count, entry.start == next else { return next }
        }
        return nil
    }
}
