import VMAddressSpace

/// One step from a flat view to the next.
public enum PlanOperation: Hashable, Sendable {
    /// The guest no longer sees memory there.
    case unmap(MemoryRange)
    /// The guest sees this memory there, where it saw none.
    case map(MemoryRange, PieceMemory)

    /// Where it applies.
    public var range: MemoryRange {
        switch self {
        case .unmap(let range), .map(let range, _): range
        }
    }
}

/// How to get from one flat view to the next, and back.
public struct RegionPlan: Sendable {
    /// The pieces of the view before that are no longer in it, ascending.
    public let removed: [ViewPiece]
    /// The pieces of the view after that were not in it, ascending.
    public let added: [ViewPiece]
    /// How the regions that changed were before, in the order in which they changed.
    let previous: [PreviousRegion]

    /// The fewest that do: what has to go, ascending, then what comes, ascending. An address is in one operation of each
    /// kind at most. Worked out anew each time.
    public var operations: [PlanOperation] { ViewDifference(from: removed, to: added).operations }
}

/// How a region was before a change.
struct PreviousRegion: Sendable {
    let id: RegionID
    /// Nil where it was not there.
    let region: Region?
}
