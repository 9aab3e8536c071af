import VMAddressSpace

extension RegionManager {
    /// The whole state.
    public func inspect() -> RegionInspection {
        let pieces = planner.view.pieces
        var visible: [RegionID: UInt64] = [:]
        for piece in pieces { visible[piece.region, default: 0] += piece.range.count }
        return RegionInspection(
            addressWidth: addressWidth, policy: planner.policy,
            regions: planner.regions.map { inspect($0, visible: visible[$0.id] ?? 0) },
            view: pieces.map(inspect),
            backings: backings.sorted { $0.key < $1.key }.map { inspect($0.value) },
            partitions: partitions.map(\.inspection), orphanCount: orphanCount, isUnfinished: isUnfinished,
            counters: counters)
    }

    private func inspect(_ region: Region, visible: UInt64) -> RegionInspection.Region {
        RegionInspection.Region(
            id: region.id, name: region.name, range: InspectedRange(region.range), priority: region.priority,
            parameters: region.parameters, visibleByteCount: visible,
            mappings: region.mappings.map { mapping in
                let range = MemoryRange(
                    uncheckedFrom: GuestAddress(region.address(of: mapping.offset)),
                    through: GuestAddress(region.address(of: mapping.last)))
                return RegionInspection.Mapping(
                    range: InspectedRange(range), backing: name(of: mapping.backing),
                    backingOffset: mapping.backingOffset, writable: mapping.isWritable)
            })
    }

    private func inspect(_ piece: ViewPiece) -> RegionInspection.Piece {
        RegionInspection.Piece(
            range: InspectedRange(piece.range), region: planner.region(piece.region)?.name ?? "",
            memory: piece.memory.map { memory in
                RegionInspection.Memory(
                    backing: name(of: memory.backing), backingOffset: memory.backingOffset,
                    writable: memory.isWritable, executable: memory.isExecutable)
            })
    }

    private func inspect(_ backing: RegionBacking) -> RegionInspection.Backing {
        let parked = backing.parkedRuns(in: 0..<backing.byteCount)
        return RegionInspection.Backing(
            name: backing.name, byteCount: backing.byteCount, writable: backing.isWritable,
            shareable: backing.isShareable, parkedByteCount: parked.reduce(0) { $0 + UInt64($1.count) },
            dirtyPageCount: backing.bitmap.dirtyPageCount())
    }

    private func name(of backing: BackingID) -> String { backings[backing]?.name ?? "" }
}
