import VMAddressSpace

/// What a plan takes away and brings, with what the memory comes from.
struct PlanContent {
    /// The ranges that are unmapped, as few as can be.
    let unmapped: [MemoryRange]
    /// The memory in them.
    let going: [BackedPiece]
    /// The memory that is mapped.
    let coming: [BackedPiece]
    /// Memory that goes and comes again at its place, with other rights.
    let staying: [StayingPiece]
    /// Where devices lose memory, or the right to write to it.
    let withdrawn: [MemoryRange]
    /// What the memory map loses and gets: whole pieces, of which only parts may really change.
    let removed: [BackedPiece]
    let added: [BackedPiece]
    /// For partitions.
    let change: PartitionChange
    /// The memory whose pages are to be there before the guest touches them, and so far were not.
    let prefetched: [BackedPiece]

    /// Where devices get memory, or the right to write to it.
    var granted: [MemoryRange] { coming.ranges(without: staying.filter { !$0.isExtended }) }

    var isEmpty: Bool { unmapped.isEmpty && coming.isEmpty }

    init(_ plan: RegionPlan, in host: GuestReservation, _ backings: NumberedBackings) {
        var unmapped: [MemoryRange] = []
        var coming: [BackedPiece] = []
        for operation in plan.operations {
            switch operation {
            case .unmap(let range): unmapped.append(range)
            case .map(let range, let memory): if let piece = backings.backed(range, memory) { coming.append(piece) }
            }
        }
        let removed = backings.backed(plan.removed)
        let added = backings.backed(plan.added)
        let going = removed.parts(in: unmapped)
        let staying = going.staying(in: coming)
        withdrawn = going.ranges(without: staying.filter { !$0.isRestricted })
        prefetched = Self.prefetched(removed, added, coming)
        change = PartitionChange(unmapped: unmapped, mapped: coming.map(host.partitionMapping))
        self.unmapped = unmapped
        self.going = going
        self.coming = coming
        self.staying = staying
        self.removed = removed
        self.added = added
    }

    private static func prefetched(
        _ removed: [BackedPiece], _ added: [BackedPiece], _ coming: [BackedPiece]
    ) -> [BackedPiece] {
        let wanted = added.filter(\.memory.prefetch)
        guard !wanted.isEmpty else { return [] }
        // What stays as it is may be prefetched now and not before.
        let unwanted = removed.filter { !$0.memory.prefetch }.map(\.range)
        return wanted.parts(in: unwanted).subtracting(coming.map(\.range)) + coming.filter(\.memory.prefetch)
    }
}

/// Memory that is at the same place before and after a change, with other rights.
struct StayingPiece {
    let old: BackedPiece
    let new: BackedPiece

    var isRestricted: Bool { old.memory.isWritable && !new.memory.isWritable }
    var isExtended: Bool { new.memory.isWritable && !old.memory.isWritable }

    /// With the rights that it has both before and after.
    var common: BackedPiece { isExtended ? old : new }
}

extension [BackedPiece] {
    /// Those of ascending pieces whose memory is at the same places among others, ascending too.
    fileprivate func staying(in others: [BackedPiece]) -> [StayingPiece] {
        guard !isEmpty else { return [] }
        var staying: [StayingPiece] = []
        var index = 0
        for other in others {
            while index < count, self[index].range.start < other.range.start { index += 1 }
            guard index < count else { break }
            if self[index].hasSamePages(as: other) { staying.append(StayingPiece(old: self[index], new: other)) }
        }
        return staying
    }

    /// The ranges of ascending pieces but for those of some, ascending too.
    fileprivate func ranges(without staying: [StayingPiece]) -> [MemoryRange] {
        guard !staying.isEmpty else { return map(\.range) }
        var rest = staying[...]
        return compactMap { piece in
            guard let first = rest.first, first.new.range == piece.range else { return piece.range }
            rest.removeFirst()
            return nil
        }
    }

    /// The parts of ascending pieces that lie in ascending ranges.
    func parts(in ranges: [MemoryRange]) -> [BackedPiece] {
        guard !ranges.isEmpty else { return [] }
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
        var first = 0
        return flatMap { piece in
            while first < others.count, others[first].last < piece.range.start { first += 1 }
            return piece.range.subtracting(others[first...]).compactMap(piece.part)
        }
    }
}

extension BackedPiece {
    /// The part of it in a range; nil where the two are apart.
    func part(in other: MemoryRange) -> BackedPiece? {
        guard let common = range.intersection(other) else { return nil }
        return BackedPiece(range: common, memory: memory.advanced(from: range, to: common), backing: backing)
    }
}
