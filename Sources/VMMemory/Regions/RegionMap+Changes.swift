import VMAddressSpace

extension RegionMap {
    /// This map and one region more.
    /// - Throws: `RegionMapError.overlap`, naming the new region's range and that of the first it overlaps.
    public func inserting(_ region: any GuestMemoryRegion) throws(RegionMapError) -> RegionMap {
        let index = firstStart(above: region.range.start.rawValue)
        let neighbours = regions[max(0, index - 1)..<min(regions.count, index + 1)]
        for other in neighbours where other.range.overlaps(region.range) { throw .overlap(region.range, other.range) }
        var regions: [any GuestMemoryRegion] = []
        regions.reserveCapacity(self.regions.count + 1)
        regions += self.regions[..<index]
        regions.append(region)
        regions += self.regions[index...]
        return RegionMap(regions, changedFrom: self, at: index)
    }

    /// This map without a region.
    /// - Throws: `RegionMapError.noSuchRegion` where no region has exactly this range, `empty` where no other is left.
    public func removing(
        _ range: MemoryRange
    ) throws(RegionMapError) -> (map: RegionMap, region: any GuestMemoryRegion) {
        let index = try index(of: range)
        guard regions.count > 1 else { throw .empty }
        var regions = regions
        let region = regions.remove(at: index)
        return (RegionMap(regions, changedFrom: self, at: index), region)
    }

    /// This map with another region in place of one of the same range.
    /// - Throws: `RegionMapError.noSuchRegion` where no region has exactly this range.
    public func replacing(with region: any GuestMemoryRegion) throws(RegionMapError) -> RegionMap {
        let index = try index(of: region.range)
        var regions = regions
        regions[index] = region
        return RegionMap(regions, changedFrom: self, at: index)
    }

    private func index(of range: MemoryRange) throws(RegionMapError) -> Int {
        guard let index = index(of: range.start.rawValue), regions[index].range == range else {
            throw .noSuchRegion(range)
        }
        return index
    }

    private func firstStart(above address: UInt64) -> Int {
        let index = table.lastStart(notAbove: address)
        return (table.entries + index).start <= address ? index + 1 : index
    }
}
