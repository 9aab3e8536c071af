import CBisect

/// The regions of a map as plain values, to search and to access without counting references. It belongs to a
/// `RegionMap` and is valid as long as that.
struct RegionTable {
    /// In the same allocation as `starts`, in front of them; none is in two cache lines.
    let entries: UnsafeMutablePointer<RegionEntry>
    /// The first address of each region, ascending, for the search to run over.
    let starts: UnsafeMutablePointer<UInt64>
    let count: Int

    private static let cacheLine = 64

    /// - Parameter count: of entries, all of which are to be initialised before any other use.
    init(count: Int) {
        let capacity = max(1, count)
        let size = capacity * MemoryLayout<RegionEntry>.stride
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: size + capacity * MemoryLayout<UInt64>.stride, alignment: Self.cacheLine)
        entries = memory.bindMemory(to: RegionEntry.self, capacity: capacity)
        starts = (memory + size).bindMemory(to: UInt64.self, capacity: capacity)
        self.count = count
        // The search ends at an entry in any case: at this one, in a map without regions.
        if count == 0 { initialize(0, to: .none) }
    }

    func deallocate() {
        UnsafeMutableRawPointer(entries).deallocate()
    }

    /// - Parameter record: to be kept for as long as the table.
    func initialize(_ index: Int, to record: RegionRecord) {
        (starts + index).initialize(to: record.region.range.start.rawValue)
        (entries + index).initialize(to: RegionEntry(record))
    }

    func copy(_ other: RegionTable, from source: Int, to target: Int, count: Int) {
        (starts + target).initialize(from: other.starts + source, count: count)
        (entries + target).initialize(from: other.entries + source, count: count)
    }

    subscript(index: Int) -> FoundRegion {
        @inline(__always) get { FoundRegion(start: starts[index], entry: entries + index) }
    }

    /// The index of the last region that starts at `address` or below; 0 where there is none.
    @inline(__always)
    func lastStart(notAbove address: UInt64) -> Int {
        Int(truncatingIfNeeded: cbisect_last_not_above(starts, Int64(truncatingIfNeeded: count), address))
    }

    /// The region at an address, or nil where there is none.
    @inline(__always)
    func region(at address: UInt64) -> FoundRegion? {
        let found = self[lastStart(notAbove: address)]
        return found.start <= address && address <= found.last ? found : nil
    }

    /// The region that bytes lie in, all of them, if nothing stands between them and the host's memory.
    @inline(__always)
    func direct(_ first: UInt64, _ count: UInt64, isWrite: Bool) -> FoundRegion? {
        guard let found = region(at: first), count &- 1 <= found.last &- first,
            found.permits(first, count, isWrite: isWrite)
        else { return nil }
        return found
    }

    /// Where `size` bytes are, if they lie in one region and nothing stands between them and the host's memory.
    /// - Parameter size: at most that of a page, so that no region is smaller.
    @inline(__always)
    func plain(
        _ first: UInt64, _ size: UInt64, isWrite: Bool
    ) -> (region: FoundRegion, offset: UInt64, host: UnsafeMutableRawPointer)? {
        let found = self[lastStart(notAbove: first)]
        // Below the region, this is more than its length.
        let offset = first &- found.start
        guard offset <= found.entry.pointee.lastOffset &- (size &- 1),
            let host = isWrite ? found.entry.pointee.writable : found.entry.pointee.readable
        else { return nil }
        return (found, offset, host + Int(truncatingIfNeeded: offset))
    }

    /// The first address in a range without a region; nil where all of it has one.
    func firstGap(_ first: UInt64, _ last: UInt64) -> UInt64? {
        var index = lastStart(notAbove: first)
        guard region(at: first) != nil else { return first }
        while self[index].last < last {
            let next = self[index].last + 1
            index += 1
            guard index < count, starts[index] == next else { return next }
        }
        return nil
    }
}
