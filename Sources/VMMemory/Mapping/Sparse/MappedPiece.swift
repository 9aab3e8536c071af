import VMAddressSpace

/// A run of pages in a `SparseMapping` that come from one place, one after another.
public struct MappedPiece: Equatable, Sendable {
    /// In bytes from the start of the reservation.
    public internal(set) var range: Range<UInt64>
    /// What its memory comes from.
    public internal(set) var backing: MemoryBacking
    /// Where its first byte is in the backing's file, in bytes; zero for anonymous memory.
    public internal(set) var backingOffset: UInt64
    /// What may be done with it.
    public internal(set) var protection: MemoryProtection
    /// Whether transparent huge pages were asked for.
    public internal(set) var transparentHugePages: Bool

    /// What it can be cut at multiples of.
    public var pageSize: PageSize {
        switch backing {
        case .anonymous: .size4K
        case .file(let shared, _): shared.file.pageSize
        }
    }

    /// The part of it in `other`, which must overlap it.
    func part(in other: Range<UInt64>) -> MappedPiece {
        var part = self
        part.range = range.clamped(to: other)
        if !backing.isAnonymous { part.backingOffset += part.range.lowerBound - range.lowerBound }
        return part
    }

    func with(_ protection: MemoryProtection) -> MappedPiece {
        var piece = self
        piece.protection = protection
        return piece
    }

    /// Whether the two are one piece.
    func continues(in next: MappedPiece) -> Bool {
        guard range.upperBound == next.range.lowerBound, backing == next.backing, protection == next.protection,
            transparentHugePages == next.transparentHugePages
        else { return false }
        let length = range.upperBound - range.lowerBound
        return backing.isAnonymous || backingOffset + length == next.backingOffset
    }
}
