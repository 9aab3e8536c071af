import VMAddressSpace
import VMRegions

/// A change that keeps the processors out.
struct QuiescedChange: Sendable {
    let announced: PartitionChange
    /// What the guest saw before it.
    let before: SlotLayout
    /// The slots that are the same before and after.
    let kept: SlotLayout

    /// Whether memory is going to be mapped after `ranges` were unmapped, which are those announced or, to undo that, those
    /// that were mapped.
    func isFollowedByMap(after ranges: [MemoryRange]) -> Bool {
        ranges == announced.unmapped ? !announced.mapped.isEmpty : !announced.unmapped.isEmpty
    }
}

extension PartitionChange {
    /// Whether some of what is unmapped is mapped afterwards.
    var mapsAgain: Bool {
        RangeWalk(unmapped, mapped.lazy.map(\.range)).contains { piece in
            if case .both = piece.coverage { true } else { false }
        }
    }
}
