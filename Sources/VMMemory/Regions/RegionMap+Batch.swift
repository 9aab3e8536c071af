import VMAddressSpace

/// Several changes in one step, with one new map.
extension RegionMap {
    /// This map without some regions and with others, in one step: what is removed makes room for what is inserted.
    /// - Parameters:
    ///   - ranges: those of the regions to remove, ascending and disjoint.
    ///   - regions: those to insert, ascending and disjoint.
    /// - Throws: `RegionMapError`: `unsorted` or `overlap` within one of the lists; `noSuchRegion` where no region has
    ///   exactly a range to remove; `overlap` with a region that stays, the first one in ascending order, named second.
    public func changing(
        removing ranges: [MemoryRange], inserting regions: [any GuestMemoryRegion]
    ) throws(RegionMapError) -> RegionMap {
        try ranges.requireOrder()
        try regions.lazy.map(\.range).requireOrder()
        return RegionMap(self, try edits(removing: ranges, inserting: regions))
    }

    /// One step of a change, by the index of a region in the map that is changed.
    private enum Edit {
        case remove(Int)
        /// Before the region at the index.
        case insert(RegionRecord, Int)
    }

    /// The steps in ascending order; at one index, what is inserted comes before what is removed.
    private func edits(
        removing ranges: [MemoryRange], inserting regions: [any GuestMemoryRegion]
    ) throws(RegionMapError) -> [Edit] {
        var removed: [Int] = []
        removed.reserveCapacity(ranges.count)
        for range in ranges { removed.append(try index(of: range)) }
        var edits: [Edit] = []
        edits.reserveCapacity(ranges.count + regions.count)
        var next = 0
        for region in regions {
            let index = firstStart(above: region.range.start.rawValue)
            while next < removed.count, removed[next] < index {
                edits.append(.remove(removed[next]))
                next += 1
            }
            // The one that starts below may have been the last to be removed.
            try requireRoom(for: region.range, at: index, without: removed[max(0, next - 1)...])
            edits.append(.insert(RegionRecord(region), index))
        }
        for index in removed[next...] { edits.append(.remove(index)) }
        return edits
    }

    /// - Parameter removed: the regions that do not count, from the one before `index` on.
    private func requireRoom(
        for range: MemoryRange, at index: Int, without removed: ArraySlice<Int>
    ) throws(RegionMapError) {
        var removed = removed
        for other in max(0, index - 1)..<table.count {
            let taken = table[other].range
            guard taken.start <= range.last else { return }
            while let first = removed.first, first < other { removed.removeFirst() }
            if removed.first != other, taken.overlaps(range) { throw .overlap(range, taken) }
        }
    }

    private convenience init(_ other: RegionMap, _ edits: [Edit]) {
        var list = other.list
        // From the end, so that indices hold.
        for edit in edits.reversed() {
            switch edit {
            case .remove(let index): list.remove(at: index)
            case .insert(let record, let index): list.insert(record, at: index)
            }
        }
        let table = RegionTable(count: list.count)
        var (source, target) = (0, 0)
        func keep(until index: Int) {
            table.copy(other.table, from: source, to: target, count: index - source)
            target += index - source
            source = index
        }
        for edit in edits {
            switch edit {
            case .remove(let index):
                keep(until: index)
                source += 1
            case .insert(let record, let index):
                keep(until: index)
                table.initialize(target, to: record)
                target += 1
            }
        }
        keep(until: other.table.count)
        self.init(list, table)
    }
}
