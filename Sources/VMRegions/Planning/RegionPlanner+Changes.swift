import VMAddressSpace

extension RegionPlanner {
    /// Makes one change to the regions, and records how they were and where the view may be another.
    mutating func apply(_ change: RegionChange, _ transaction: inout RegionTransaction) throws(RegionError) {
        switch change {
        case .add(let id, let name, let range, let priority, let mappings, let parameters):
            var region = Region(id: id, name: name, range: range, priority: priority, parameters: parameters)
            try numbers.check(id)
            try checkPlace(of: region)
            for mapping in mappings {
                try check(mapping, in: region)
                try checkPages(of: mapping, in: region)
                region.replaceMappings(from: mapping.offset, through: mapping.last, with: mapping)
            }
            numbers.use(id)
            replace(nil, with: region, touching: parameters == nil ? nil : range, &transaction)
        case .remove(let id):
            let region = try existing(id)
            replace(region, with: nil, touching: region.parameters == nil ? nil : region.range, &transaction)
        case .map(let id, let parameters):
            try map(id, parameters, &transaction)
        case .unmap(let id):
            try map(id, nil, &transaction)
        case .addMapping(let id, let mapping):
            let region = try existing(id)
            try check(mapping, in: region)
            try replaceMappings(of: region, mapping.offset, mapping.count, with: mapping, &transaction)
        case .removeMappings(let id, let offset, let count):
            let region = try existing(id)
            try check(offset, count, in: region)
            try replaceMappings(of: region, offset, count, with: nil, &transaction)
        case .move(let id, let address):
            let region = try existing(id)
            let range = try wrap(region) { range throws(MemoryRangeError) in try range.moved(to: address) }
            try place(region, at: range, &transaction)
        case .resize(let id, let count):
            let region = try existing(id)
            let range = try wrap(region) { range throws(MemoryRangeError) in
                try MemoryRange(start: range.start, count: count)
            }
            try place(region, at: range, &transaction)
        }
    }

    private func existing(_ id: RegionID) throws(RegionError) -> Region {
        guard let region = index[id] else { throw .noSuchRegion(id) }
        return region
    }

    /// Puts a region, or nothing, in the place of another, or of nothing.
    private mutating func replace(
        _ old: Region?, with new: Region?, touching range: MemoryRange? = nil, _ transaction: inout RegionTransaction
    ) {
        guard let id = (old ?? new)?.id else { return }
        transaction.record(id, was: old, touching: range)
        set(id, from: old, to: new)
    }

    private mutating func map(
        _ id: RegionID, _ parameters: MapParameters?, _ transaction: inout RegionTransaction
    ) throws(RegionError) {
        let region = try existing(id)
        guard region.parameters != parameters else { return }
        var changed = region
        changed.parameters = parameters
        replace(region, with: changed, touching: region.range, &transaction)
    }

    // MARK: Places

    private func wrap(
        _ region: Region, _ range: (MemoryRange) throws(MemoryRangeError) -> MemoryRange
    ) throws(RegionError) -> MemoryRange {
        do throws(MemoryRangeError) {
            return try range(region.range)
        } catch {
            throw .badRange(region.name, error)
        }
    }

    /// Puts a region elsewhere, or gives it another length.
    private mutating func place(
        _ region: Region, at range: MemoryRange, _ transaction: inout RegionTransaction
    ) throws(RegionError) {
        guard range != region.range else { return }
        var placed = region
        placed.range = range
        try checkPlace(of: placed)
        if placed.lastOffset < region.lastOffset { placed.cutMappings(after: placed.lastOffset) }
        let isMapped = region.parameters != nil
        replace(region, with: placed, touching: isMapped ? region.range : nil, &transaction)
        if isMapped { transaction.touch(range) }
    }

    /// - Throws: `beyondAddressWidth`; under `OverlapPolicy.nested`, `overlap`.
    private func checkPlace(of region: Region) throws(RegionError) {
        let name = RegionError.Name(region)
        guard region.range.last.rawValue >> UInt64(addressWidth) == 0 else {
            throw .beyondAddressWidth(name, bits: addressWidth)
        }
        guard policy == .nested else { return }
        var conflict: Region?
        index.forEach(overlapping: region.range) { other in
            if conflict == nil, other.id != region.id, !region.nests(with: other) { conflict = other }
        }
        if let conflict { throw .overlap(name, with: RegionError.Name(conflict)) }
    }

    // MARK: Mappings

    private func check(_ offset: UInt64, _ count: UInt64, in region: Region) throws(RegionError) {
        let name = RegionError.Name(region)
        guard count > 0, (offset | count) & PageSize.size4K.mask == 0 else {
            throw .misalignedMapping(name, offset: offset, count: count)
        }
        guard offset <= region.lastOffset, count - 1 <= region.lastOffset - offset else {
            throw .outsideRegion(name, offset: offset, count: count)
        }
    }

    private func check(_ mapping: RegionMapping, in region: Region) throws(RegionError) {
        try check(mapping.offset, mapping.count, in: region)
        let name = RegionError.Name(region)
        let backing = try backings.description(of: mapping.backing)
        guard mapping.backingOffset & PageSize.size4K.mask == 0 else {
            throw .misalignedMapping(name, offset: mapping.backingOffset, count: mapping.count)
        }
        let (end, overflow) = mapping.backingOffset.addingReportingOverflow(mapping.count)
        guard !overflow, end <= backing.byteCount else {
            throw .beyondBacking(
                name, backing: backing.name, offset: mapping.backingOffset, count: mapping.count,
                byteCount: backing.byteCount)
        }
        guard backing.isWritable || !mapping.isWritable else {
            throw .readOnlyBacking(name, backing: backing.name)
        }
    }

    /// Puts a mapping, or nothing, into a part of a region; the parts of mappings that were there are cut out.
    private mutating func replaceMappings(
        of region: Region, _ offset: UInt64, _ count: UInt64, with mapping: RegionMapping?,
        _ transaction: inout RegionTransaction
    ) throws(RegionError) {
        let last = offset + (count - 1)
        if let mapping { try checkPages(of: mapping, in: region) }
        var changed = region
        changed.replaceMappings(from: offset, through: last, with: mapping)
        guard changed.mappings != region.mappings else { return }
        let touched = MemoryRange(
            uncheckedFrom: GuestAddress(region.address(of: offset)), through: GuestAddress(region.address(of: last)))
        replace(region, with: changed, touching: region.parameters == nil ? nil : touched, &transaction)
    }

    /// - Throws: `mappedTwice` where pages that can only be at one place are at another, unless this mapping takes that
    ///   place.
    private func checkPages(of mapping: RegionMapping, in region: Region) throws(RegionError) {
        guard backings.isUsed(mapping.backing) || !region.mappings.isEmpty else { return }
        let firstInBacking = mapping.backingOffset
        let lastInBacking = firstInBacking + (mapping.count - 1)
        var conflict: (offset: UInt64, region: RegionID)?
        let look = { (use: BackingUse) in
            guard conflict == nil else { return }
            var first = max(use.first, firstInBacking)
            let last = min(use.last, lastInBacking)
            let offset = use.offset + (first - use.first)
            if use.region == region.id, mapping.offset...mapping.last ~= offset {
                guard last - first > mapping.last - offset else { return }
                first += mapping.last - offset + 1
            }
            conflict = (first, use.region)
        }
        backings.forEachUse(of: mapping.backing, firstInBacking, lastInBacking, look)
        // Of a new region, nothing is noted yet.
        if !region.mappings.isEmpty, !index.contains(region.id), backings[mapping.backing]?.isShareable == false {
            for other in region.mappings where other.backing == mapping.backing {
                let use = BackingUse(other, of: region.id)
                if use.first <= lastInBacking, use.last >= firstInBacking { look(use) }
            }
        }
        guard let conflict else { return }
        let other = conflict.region == region.id ? region : index[conflict.region]
        guard let other else { return }
        throw .mappedTwice(
            RegionError.Name(region), backing: backings[mapping.backing]?.name ?? "", offset: conflict.offset,
            other: RegionError.Name(other))
    }
}

extension Region {
    /// Whether the two may overlap as they do under `OverlapPolicy.nested`.
    fileprivate func nests(with other: Region) -> Bool {
        if priority == other.priority { return range == other.range }
        return priority > other.priority ? range.contains(other.range) : other.range.contains(range)
    }
}
