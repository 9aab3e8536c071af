import VMAddressSpace

extension RegionMap {
    /// This map and one region more.
    /// - Throws: `RegionMapError.overlap`, naming the new region's range and that of the first it overlaps.
    public func inserting(_ region: any GuestMemoryRegion) throws(RegionMapError) -> RegionMap {
        let index = firstStart(above: region.range.start.rawValue)
        for other in max(0, index - 1)..<min(list.count, index + 1) {
            let range = table[other].range
            if range.overlaps(region.range) { throw .overlap(region.range, range) }
        }
        var list = list
        let record = RegionRecord(region)
        list.insert(record, at: index)
        return RegionMap(list, changedFrom: self, at: index, record)
    }

    /// This map without a region.
    /// - Throws: `RegionMapError.noSuchRegion` where no region has exactly this range.
    public func removing(
        _ range: MemoryRange
    ) throws(RegionMapError) -> (map: RegionMap, region: any GuestMemoryRegion) {
        let index = try index(of: range)
        var list = list
        list.remove(at: index)
        return (RegionMap(list, changedFrom: self, at: index, nil), table[index].region)
    }

    /// This map with another region in place of one of the same range.
    /// - Throws: `RegionMapError.noSuchRegion` where no region has exactly this range.
    public func replacing(with region: any GuestMemoryRegion) throws(RegionMapError) -> RegionMap {
        let index = try index(of: region.range)
        var list = list
        let record = RegionRecord(region)
        list.replace(at: index, with: record)
        return RegionMap(list, changedFrom: self, at: index, record)
    }

    func index(of range: MemoryRange) throws(RegionMapError) -> Int {
        guard let index = index(of: range.start.rawValue), table[index].range == range else {
            throw .noSuchRegion(range)
        }
        return index
    }

    /// The index of the first region that starts above an address.
    func firstStart(above address: UInt64) -> Int {
        let index = table.lastStart(notAbove: address)
        return table.starts[index] <= address ? index + 1 : index
    }
}
