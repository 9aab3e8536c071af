import KVM
import VMAddressSpace

/// How to get from one layout to another: what goes, then what comes, each ascending.
struct SlotChange: Hashable, Sendable {
    var removed: [MemorySlot] = []
    var added: [MemorySlot] = []
}

/// Why a layout cannot be changed so.
enum SlotLayoutError: Error, Hashable, CustomStringConvertible {
    /// There is no memory.
    case notMapped(MemoryRange)
    /// The second, which is there, is in the way of the first.
    case occupied(MemoryRange, by: MemoryRange)
    /// The second was asked for after the first, and does not begin above it.
    case unordered(MemoryRange, MemoryRange)

    var description: String {
        switch self {
        case .notMapped(let range): "no memory is mapped at \(range)"
        case .occupied(let range, let other): "the memory mapped at \(other) is in the way of \(range)"
        case .unordered(let first, let second): "\(second) comes after \(first) and does not begin above it"
        }
    }
}

extension SlotLayout {
    /// What it takes to unmap `ranges`: the slots in them go, and of those that are not all in them, what is left comes
    /// back. Takes time logarithmic in the number of slots.
    /// - Parameter ranges: ascending and disjoint, all of each in slots.
    func unmapping(_ ranges: [MemoryRange]) throws(SlotLayoutError) -> SlotChange {
        try Self.checkOrder(ranges)
        var change = SlotChange(removed: slots(overlapping: ranges))
        for piece in RangeWalk(change.removed, ranges) {
            switch piece.coverage {
            case .left(let slot): change.added.append(slot.part(in: piece.range))
            case .right: throw .notMapped(piece.range)
            case .both: break
            }
        }
        return change
    }

    /// What it takes to map `new`: as few slots as make them up, beside those that are there, which stay as they are.
    /// Takes time logarithmic in the number of slots.
    /// - Parameter new: ascending and disjoint, in no slot.
    func mapping(_ new: [MemorySlot]) throws(SlotLayoutError) -> SlotChange {
        try Self.checkOrder(new)
        var change = SlotChange()
        for slot in new {
            if let obstacle = indices(overlapping: slot.range).first {
                throw .occupied(slot.range, by: slots[obstacle].range)
            }
            change.added.appendMerging(slot)
        }
        return change
    }

    /// What it takes to get to `other`: no slot that is in both goes. Takes time linear in the number of slots.
    func difference(to other: SlotLayout) -> SlotChange {
        var change = SlotChange()
        slots.withUnsafeBufferPointer { slots in
            other.slots.withUnsafeBufferPointer { others in
                // Mostly all but a few are the same, and those lie together.
                let shorter = min(slots.count, others.count)
                var same = 0
                while same < shorter, slots[same].isSame(as: others[same]) { same += 1 }
                var end = 0
                while end < shorter - same, slots[slots.count - 1 - end].isSame(as: others[others.count - 1 - end]) {
                    end += 1
                }
                var (old, new) = (same, same)
                let slots = slots.prefix(slots.count - end)
                let others = others.prefix(others.count - end)
                while old < slots.count || new < others.count {
                    if old < slots.count, new < others.count, slots[old].isSame(as: others[new]) {
                        old += 1
                        new += 1
                    } else if new == others.count
                        || old < slots.count && slots[old].range.start <= others[new].range.start
                    {
                        change.removed.append(slots[old])
                        old += 1
                    } else {
                        change.added.append(others[new])
                        new += 1
                    }
                }
            }
        }
        return change
    }

    private static func checkOrder(_ elements: [some Ranged]) throws(SlotLayoutError) {
        for (first, second) in zip(elements, elements.dropFirst()) where second.range.start <= first.range.last {
            throw .unordered(first.range, second.range)
        }
    }
}

extension MemorySlot {
    /// As `==`, which is another module's and takes a call.
    @inline(__always)
    fileprivate func isSame(as other: MemorySlot) -> Bool {
        range.start.rawValue == other.range.start.rawValue && range.last.rawValue == other.range.last.rawValue
            && hostAddress == other.hostAddress && flags.rawValue == other.flags.rawValue
    }
}
