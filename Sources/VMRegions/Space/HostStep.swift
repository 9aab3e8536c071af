import VMAddressSpace
import VMMemory

/// One change of what is mapped in a guest's reservation.
enum HostStep {
    case unmap(BackedPiece)
    case map(BackedPiece)
    /// The same memory stays, but what may be done with it changes.
    case protect(BackedPiece, was: PieceMemory)

    var piece: BackedPiece {
        switch self {
        case .unmap(let piece), .map(let piece), .protect(let piece, was: _): piece
        }
    }

    /// What takes it back.
    var inverse: HostStep {
        switch self {
        case .unmap(let piece): .map(piece)
        case .map(let piece): .unmap(piece)
        case .protect(let piece, let memory):
            .protect(BackedPiece(range: piece.range, memory: memory, backing: piece.backing), was: piece.memory)
        }
    }

    /// The steps for what goes and what comes. Memory that comes again, at the same place, is only protected in another
    /// way.
    static func steps(unmapping old: [BackedPiece], mapping new: [BackedPiece]) -> [HostStep] {
        if old.isEmpty { return new.map(HostStep.map) }
        if new.isEmpty { return old.map(HostStep.unmap) }
        let going = Dictionary(old.map { ($0.range.start, $0) }, uniquingKeysWith: { first, _ in first })
        var staying: Set<GuestAddress> = []
        var steps: [HostStep] = []
        for piece in new {
            if let before = going[piece.range.start], before.hasSamePages(as: piece) {
                steps.append(.protect(piece, was: before.memory))
                staying.insert(piece.range.start)
            } else {
                steps.append(.map(piece))
            }
        }
        return old.filter { !staying.contains($0.range.start) }.map(HostStep.unmap) + steps
    }
}

/// A range with its memory, and what that comes from.
struct BackedPiece {
    let range: MemoryRange
    let memory: PieceMemory
    let backing: RegionBacking

    /// In the backing.
    var bytes: Range<UInt64> { memory.backingOffset..<(memory.backingOffset + range.count) }

    var protection: MemoryProtection { memory.isWritable ? .readWrite : .readOnly }

    func hasSamePages(as other: BackedPiece) -> Bool {
        range == other.range && backing === other.backing && memory.backingOffset == other.memory.backingOffset
    }
}
