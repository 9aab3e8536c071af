import VMAddressSpace

extension RegionPlanner {
    /// The regions, by where they start; those that start together, the oldest first.
    public var inspectedRegions: [RegionInspection.Region] {
        var visible: [RegionID: UInt64] = [:]
        for piece in view.pieces { visible[piece.region, default: 0] += piece.range.count }
        return regions.map { inspect($0, visible: visible[$0.id] ?? 0) }
    }

    /// What the guest sees, ascending.
    public var inspectedView: [RegionInspection.Piece] {
        view.pieces.map { piece in
            RegionInspection.Piece(
                range: InspectedRange(piece.range), region: region(piece.region)?.name ?? "",
                memory: piece.memory.map(inspect))
        }
    }

    /// Memory of the view, or of an operation of a plan, with the name of what it comes from.
    public func inspect(_ memory: PieceMemory) -> RegionInspection.Memory {
        RegionInspection.Memory(
            backing: name(of: memory.backing), backingOffset: memory.backingOffset, writable: memory.isWritable,
            executable: memory.isExecutable, prefetch: memory.prefetch)
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

    private func name(of backing: BackingID) -> String { self.backing(backing)?.name ?? "" }
}
