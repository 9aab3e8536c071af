import VMAddressSpace

/// Memory as the flat view has it.
public struct PieceMemory: Hashable, Sendable {
    /// What it comes from.
    public var backing: BackingID
    /// Where in the backing it starts, in bytes.
    public var backingOffset: UInt64
    public var isWritable: Bool
    public var isExecutable: Bool
    /// Whether its pages are provided when it is mapped. It makes no difference between what is mapped and what is to be.
    public var prefetch: Bool

    /// What a guest sees of a mapping, in a region that is mapped in some way.
    init(_ mapping: RegionMapping, _ parameters: MapParameters) {
        backing = mapping.backing
        backingOffset = mapping.backingOffset
        isWritable = mapping.isWritable && parameters.isWritable
        isExecutable = parameters.isExecutable
        prefetch = parameters.prefetch
    }

    /// Whether `next`, which starts `count` bytes on, goes on where this ends.
    func continues(in next: PieceMemory, after count: UInt64) -> Bool {
        var expected = self
        expected.backingOffset += count
        return expected == next
    }

    /// Whether both are the same memory, seen in the same way.
    func isSame(as other: PieceMemory) -> Bool {
        var compared = other
        compared.prefetch = prefetch
        return self == compared
    }

    /// The memory in `part`, where this is the one in `range`.
    func advanced(from range: MemoryRange, to part: MemoryRange) -> PieceMemory {
        var advanced = self
        advanced.backingOffset += part.start.rawValue - range.start.rawValue
        return advanced
    }
}

/// A run of guest-physical addresses that show one region: as long as the region and its memory go on unbroken.
public struct ViewPiece: Hashable, Sendable {
    public var range: MemoryRange
    /// The region that is seen there.
    public var region: RegionID
    /// Its memory; nil where it has none.
    public var memory: PieceMemory?

    /// The part of it in `other`, which overlaps it.
    func part(in other: MemoryRange) -> ViewPiece {
        var part = self
        part.range = MemoryRange(
            uncheckedFrom: max(range.start, other.start), through: min(range.last, other.last))
        part.memory = memory?.advanced(from: range, to: part.range)
        return part
    }

    /// Whether the two are one piece.
    func continues(in next: ViewPiece) -> Bool {
        guard region == next.region, range.endExclusive == next.range.start else { return false }
        switch (memory, next.memory) {
        case (nil, nil): return true
        case (let memory?, let next?): return memory.continues(in: next, after: range.count)
        case (nil, _?), (_?, nil): return false
        }
    }
}

extension [ViewPiece] {
    /// Appends a piece that is above all others; it becomes part of the last one where that goes on in it.
    mutating func appendJoining(_ piece: ViewPiece) {
        if let last, last.continues(in: piece) {
            self[count - 1].range = MemoryRange(uncheckedFrom: last.range.start, through: piece.range.last)
        } else {
            append(piece)
        }
    }
}
