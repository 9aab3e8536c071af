import VMAddressSpace
import VMMemory

/// All that a guest's memory has, for whoever copies it elsewhere or fills it.
extension RegionManager {
    /// The regions, complete with their memory, the oldest first: added in this order elsewhere, they make the same view.
    public var definitions: [RegionDefinition] {
        planning.planner.regions.sorted { $0.id < $1.id }.map { region in
            RegionDefinition(
                region.name, region.range, priority: region.priority,
                memory: region.mappings.compactMap { mapping in
                    planning.backings[mapping.backing].map { backing in
                        RegionDefinition.Memory(
                            offset: mapping.offset, count: mapping.count, of: backing,
                            backingOffset: mapping.backingOffset, isWritable: mapping.isWritable)
                    }
                }, parameters: region.parameters)
        }
    }

    /// What regions have memory of, in the order in which `definitions` name it: that of another manager which was made of them is
    /// the same.
    public var usedBackings: [RegionBacking] {
        var seen: Set<ObjectIdentifier> = []
        return definitions.flatMap { $0.memory.map(\.backing) }.filter { seen.insert(ObjectIdentifier($0)).inserted }
    }

    /// What the guest sees, ascending, with where that is in its backing.
    public var visibleMemory: [(range: MemoryRange, backing: RegionBacking, backingOffset: UInt64)] {
        inForce.map { ($0.range, $0.backing, $0.memory.backingOffset) }
    }

    /// Where the contents of all backings are, to be read; in the order of `usedBackings`.
    /// - Throws: `contents`; `arriving`.
    public func contents() throws(RegionManagerError) -> [BackingContents] {
        if isArriving { throw .arriving }
        return try contents { (backing, hidden) throws(HostMemoryError) in
            // What of a file nobody sees, and nobody has a copy of, is as the file has it.
            guard !hidden.isEmpty, case .file = backing.memory else { return nil }
            return try MappingOwner(backing, .readOnly)
        }
    }

    /// Where the contents of all backings are, to be written: each byte is somewhere. For a guest that does not run yet;
    /// what it cannot write can be written until `endFilling()`.
    /// - Throws: `contents`.
    public func contentsToFill() throws(RegionManagerError) -> [BackingContents] {
        let contents = try contents { (backing, hidden) throws(HostMemoryError) in
            guard !backing.isShareable else { return try MappingOwner(backing, .readWrite) }
            for bytes in hidden { try backing.park(bytes) }
            return nil
        }
        try protectReadOnlyMemory(as: .readWrite)
        return contents
    }

    /// Gives memory that the guest cannot write its protection again.
    /// - Throws: `contents`.
    public func endFilling() throws(RegionManagerError) {
        try protectReadOnlyMemory(as: .readOnly)
    }

    private func protectReadOnlyMemory(as protection: MemoryProtection) throws(RegionManagerError) {
        for piece in inForce where !piece.memory.isWritable && !piece.backing.isShareable {
            do throws(HostMemoryError) {
                try space.reservation.protect(
                    offset: piece.range.start.rawValue, count: piece.range.count, protection)
            } catch {
                throw .contents(piece.backing.name, error)
            }
        }
    }

    /// - Parameter provide: maps a backing beside the guest, all of it; or else provides the runs that are nowhere.
    private func contents(
        _ provide: (RegionBacking, _ hidden: [Range<UInt64>]) throws(HostMemoryError) -> MappingOwner?
    ) throws(RegionManagerError) -> [BackingContents] {
        let visible = inForce
        var contents: [BackingContents] = []
        for backing in usedBackings {
            do throws(HostMemoryError) {
                var extents: [BackingContents.Extent] = []
                for piece in visible where piece.backing === backing {
                    extents.add(piece.bytes, at: space.host.hostAddress(piece.range.start))
                }
                try backing.addParked(to: &extents)
                let owner = try provide(backing, extents.gaps(in: backing.byteCount))
                if let owner {
                    // Of pages that only one mapping can have, those that are elsewhere stay there.
                    if backing.isShareable { extents.removeAll() }
                    extents.add(0..<backing.byteCount, at: UInt(bitPattern: owner.mapping.baseAddress))
                } else {
                    try backing.addParked(to: &extents)
                }
                for run in backing.preallocatedRuns { extents.markPreallocated(run) }
                contents.append(BackingContents(backing: backing, extents: extents, mapping: owner))
            } catch {
                throw .contents(backing.name, error)
            }
        }
        return contents
    }
}

extension MappingOwner {
    fileprivate convenience init(_ backing: RegionBacking, _ protection: MemoryProtection) throws(HostMemoryError) {
        self.init(
            try HostMapping(
                backing.memory, offset: backing.fileOffset, count: backing.byteCount, protection: protection))
    }
}

extension RegionBacking {
    fileprivate func addParked(to extents: inout [BackingContents.Extent]) throws(HostMemoryError) {
        let runs = parkedRuns(in: 0..<byteCount)
        guard !runs.isEmpty else { return }
        let base = UInt(bitPattern: try parkingPlace().baseAddress)
        for run in runs { extents.add(run, at: base + UInt(run.lowerBound)) }
    }
}
