import VMAddressSpace

/// What a plan takes away and brings, with what the memory comes from.
struct PlanContent {
    /// The ranges that are unmapped, as few as can be.
    let unmapped: [MemoryRange]
    /// The memory in them.
    let going: [BackedPiece]
    /// The memory that is mapped.
    let coming: [BackedPiece]
    /// What the memory map loses and gets: whole pieces, of which only parts may really change.
    let removed: [BackedPiece]
    let added: [BackedPiece]
    /// For partitions.
    let change: PartitionChange
    /// What takes the unmapping back.
    let previousMappings: [PartitionMapping]

    var isEmpty: Bool { unmapped.isEmpty && coming.isEmpty }

    init(_ plan: RegionPlan, in space: GuestSpace, _ backing: (BackingID) -> RegionBacking?) {
        func backed(_ range: MemoryRange, _ memory: PieceMemory) -> BackedPiece? {
            backing(memory.backing).map { BackedPiece(range: range, memory: memory, backing: $0) }
        }
        func backed(_ pieces: [ViewPiece]) -> [BackedPiece] {
            pieces.compactMap { piece in piece.memory.flatMap { backed(piece.range, $0) } }
        }
        var unmapped: [MemoryRange] = []
        var coming: [BackedPiece] = []
        for operation in plan.operations {
            switch operation {
            case .unmap(let range): unmapped.append(range)
            case .map(let range, let memory): if let piece = backed(range, memory) { coming.append(piece) }
            }
        }
        removed = backed(plan.removed)
        added = backed(plan.added)
        going = removed.parts(in: unmapped)
        self.unmapped = unmapped
        self.coming = coming
        change = PartitionChange(unmapped: unmapped, mapped: coming.map(space.partitionMapping))
        previousMappings = going.map(space.partitionMapping)
    }
}

extension [BackedPiece] {
    /// The parts of ascending pieces that lie in ascending ranges.
    fileprivate func parts(in ranges: [MemoryRange]) -> [BackedPiece] {
        var parts: [BackedPiece] = []
        var first = 0
        for piece in self {
            while first < ranges.count, ranges[first].last < piece.range.start { first += 1 }
            for range in ranges[first...] {
                guard let part = piece.part(in: range) else { break }
                parts.append(part)
            }
        }
        return parts
    }

    /// What is left of ascending pieces without those in `others`, ascending too, which each lie in one of them.
    func subtracting(_ others: [MemoryRange]) -> [BackedPiece] {
        flatMap { piece in piece.range.subtracting(others).compactMap(piece.part) }
    }
}

extension BackedPiece {
    /// The part of it in a range; nil where the two are apart.
    func part(in other: MemoryRange) -> BackedPiece? {
        guard let common = range.intersection(other) else { return nil }
        return BackedPiece(range: common, memory: memory.advanced(from: range, to: common), backing: backing)
    }
}

extension GuestSpace {
    func partitionMapping(_ piece: BackedPiece) -> PartitionMapping {
        PartitionMapping(
            range: piece.range, hostAddress: hostAddress(piece.range.start), isWritable: piece.memory.isWritable,
            isExecutable: piece.memory.isExecutable, prefetch: piece.memory.prefetch)
    }
}
