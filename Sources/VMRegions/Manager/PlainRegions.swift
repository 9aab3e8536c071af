import VMAddressSpace

/// Regions that are seen as they are defined, such as a machine's RAM: mapped, apart from one another, each of them memory all
/// over, of one backing and in its order. What the guest sees of them takes no planning.
struct PlainRegions: Sendable {
    private let definitions: [RegionDefinition]
    /// What they have memory of; nil where there are none.
    let backing: RegionBacking?

    /// - Returns: nil where regions have to be planned, or are not right.
    init?(_ definitions: [RegionDefinition], addressWidth: Int) {
        let backing = definitions.first?.memory.first?.backing
        for index in definitions.indices {
            guard definitions[index].isWhole, definitions[index].memory[0].backing === backing,
                definitions[index].range.last.rawValue >> UInt64(addressWidth) == 0,
                index == 0 || definitions[index - 1].isBelow(definitions[index])
            else { return nil }
        }
        self.definitions = definitions
        self.backing = backing
    }

    /// What the guest sees, ascending. The backing has the number that a new planner gives it.
    var pieces: [BackedPiece] {
        guard let backing else { return [] }
        return definitions.mapFew { BackedPiece(range: $0.range, memory: $0.seen(as: .first), backing: backing) }
    }

    /// Makes them known where nothing is yet.
    func add(to planner: inout RegionPlanner, _ backings: inout NumberedBackings) {
        guard let backing else { return }
        let number = planner.addBacking(backing.description)
        backings.add(backing, number)
        for definition in definitions {
            planner.add(
                whole: Region(
                    id: planner.makeRegionID(), name: definition.name, range: definition.range,
                    priority: definition.priority, parameters: definition.parameters,
                    mappings: [definition.memory[0].mapping(of: number)]),
                seenAs: definition.seen(as: number))
        }
    }
}

extension RegionDefinition {
    /// Whether it is mapped, and one part of a backing is its memory all over.
    fileprivate var isWhole: Bool {
        guard parameters != nil, memory.count == 1, let part = memory.first else { return false }
        return part.offset == 0 && part.count > 0 && part.count - 1 == range.last.rawValue - range.start.rawValue
            && part.backingOffset & PageSize.size4K.mask == 0 && part.backingOffset <= part.backing.byteCount
            && part.count <= part.backing.byteCount - part.backingOffset
            && (part.backing.isWritable || !part.isWritable)
    }

    /// Whether another begins where this ends or later, in the guest's addresses and in the backing; both are whole.
    fileprivate func isBelow(_ next: RegionDefinition) -> Bool {
        range.last < next.range.start && memory[0].backingOffset + memory[0].count <= next.memory[0].backingOffset
    }

    /// What the guest sees of one that is whole, and so is mapped.
    fileprivate func seen(as backing: BackingID) -> PieceMemory {
        PieceMemory(memory[0].mapping(of: backing), parameters ?? MapParameters())
    }
}
