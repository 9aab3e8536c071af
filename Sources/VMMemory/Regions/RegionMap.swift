import VMAddressSpace

/// The memory map of a guest: regions in ascending order that do not overlap. It never changes; a change makes a new map,
/// which shares the regions.
///
/// Any thread may use it. Looking up a region allocates nothing and counts no reference.
public final class RegionMap: @unchecked Sendable {
    // SAFETY: everything is set by `init` and only read until `deinit`. The entries point to records that `list`
    // keeps alive.
    /// The regions, ascending.
    public var regions: [any GuestMemoryRegion] { list.all }
    let list: RegionList
    let table: RegionTable

    /// A map without regions: of a guest before it has memory.
    public convenience init() {
        self.init(checked: [])
    }

    /// - Parameter regions: ascending.
    /// - Throws: `RegionMapError`: `unsorted` or `overlap`.
    public convenience init(_ regions: [any GuestMemoryRegion]) throws(RegionMapError) {
        try regions.lazy.map(\.range).requireOrder()
        self.init(checked: regions)
    }

    /// - Parameter regions: ascending and disjoint.
    init(checked regions: [any GuestMemoryRegion]) {
        let records = regions.mapFew { RegionRecord($0) }
        list = RegionList(records)
        table = RegionTable(count: records.count)
        for (index, record) in records.enumerated() { table.initialize(index, to: record) }
    }

    /// - Parameters:
    ///   - list: ascending and disjoint.
    ///   - table: of the same regions.
    init(_ list: RegionList, _ table: RegionTable) {
        self.list = list
        self.table = table
    }

    /// - Parameters:
    ///   - list: ascending and disjoint; those of `other`, with the one at `index` inserted, removed or replaced.
    ///   - record: that of the one inserted, or that replaces another; nil where one is removed.
    init(_ list: RegionList, changedFrom other: RegionMap, at index: Int, _ record: RegionRecord?) {
        self.list = list
        table = RegionTable(count: list.count)
        table.copy(other.table, from: 0, to: 0, count: index)
        let kept = list.count - index - (record == nil ? 0 : 1)
        if let record { table.initialize(index, to: record) }
        table.copy(other.table, from: other.table.count - kept, to: list.count - kept, count: kept)
    }

    deinit {
        table.deallocate()
    }

    /// The index of the region at `address`, or nil where there is none.
    func index(of address: UInt64) -> Int? {
        table.region(at: address).map { $0.entry - table.entries }
    }

    /// The region at an address.
    public func region(containing address: GuestAddress) -> (any GuestMemoryRegion)? {
        table.region(at: address.rawValue)?.region
    }

    /// Calls `body` with the part of each region that `range` covers, ascending, for as long as they follow one another.
    /// - Returns: the first address in `range` without a region; nil where all of it has one.
    public func forEachPart<Failure: Error>(
        of range: AddressRange, _ body: (any GuestMemoryRegion, AddressRange) throws(Failure) -> Void
    ) throws(Failure) -> GuestAddress? {
        var address = range.start
        while true {
            guard let region = region(containing: address) else { return address }
            let last = min(region.range.last, range.last)
            if let part = AddressRange(from: address, through: last) { try body(region, part) }
            guard last < range.last, let next = last.advanced(byBytes: 1) else { return nil }
            address = next
        }
    }
}

extension RegionMap {
    /// The range of the region at an address: what is cheaper than to get hold of the region.
    public func rangeOfRegion(containing address: GuestAddress) -> MemoryRange? {
        table.region(at: address.rawValue)?.range
    }
}
