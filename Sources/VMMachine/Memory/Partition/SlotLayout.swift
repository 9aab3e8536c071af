import KVM
import VMAddressSpace

/// Guest memory as memory slots: ascending and disjoint. A pure value; what is computed here costs no call of the kernel.
struct SlotLayout: Hashable, Sendable {
    private(set) var slots: [MemorySlot]
    /// How many slots could be one with the next.
    private var jointCount: Int

    /// - Parameter slots: ascending and disjoint.
    init(slots: [MemorySlot] = []) {
        self.slots = slots
        jointCount = 0
        jointCount = joints(from: 0, to: slots.count)
    }

    /// How many slots could be one with the next, of those from the one before `first` up to the one before `end`.
    private func joints(from first: Int, to end: Int) -> Int {
        var count = 0
        var index = max(first, 1)
        while index < min(end, slots.count) {
            if slots[index - 1].continues(in: slots[index]) { count += 1 }
            index += 1
        }
        return count
    }

    /// How many slots begin below `address`.
    private func count(below address: GuestAddress) -> Int {
        slots.partitioningIndex { $0.range.start >= address }
    }

    /// The indices of the slots that have pages in `range`.
    func indices(overlapping range: MemoryRange) -> Range<Int> {
        var first = count(below: range.start)
        if first > 0, slots[first - 1].range.last >= range.start { first -= 1 }
        let end = range.endExclusive.map { count(below: $0) } ?? slots.count
        return first..<end
    }

    /// The slots that have pages in `ranges`, which ascend.
    func slots(overlapping ranges: [MemoryRange]) -> [MemorySlot] {
        var found: [MemorySlot] = []
        var next = 0
        for range in ranges {
            let overlapping = indices(overlapping: range)
            guard overlapping.upperBound > next else { continue }
            found += slots[max(next, overlapping.lowerBound)..<overlapping.upperBound]
            next = overlapping.upperBound
        }
        return found
    }

    /// The slot of exactly this range.
    func slot(of range: MemoryRange) -> MemorySlot? {
        let index = count(below: range.start)
        return index < slots.count && slots[index].range == range ? slots[index] : nil
    }

    /// The index of a slot; nil where it is not there.
    func index(of slot: MemorySlot) -> Int? {
        let index = count(below: slot.range.start)
        return index < slots.count && slots[index] == slot ? index : nil
    }

    /// Puts a slot where there is none.
    /// - Returns: its index.
    @discardableResult
    mutating func insert(_ slot: MemorySlot) -> Int {
        let index = count(below: slot.range.start)
        jointCount -= joints(from: index, to: index + 1)
        // Most often above all others.
        if index == slots.count { slots.append(slot) } else { slots.insert(slot, at: index) }
        jointCount += joints(from: index, to: index + 2)
        return index
    }

    /// Takes a slot out that is there.
    mutating func remove(_ slot: MemorySlot) {
        guard let index = index(of: slot) else { return }
        jointCount -= joints(from: index, to: index + 2)
        slots.remove(at: index)
        jointCount += joints(from: index, to: index + 1)
    }

    /// Carries out a change that was computed for this layout.
    mutating func apply(_ change: SlotChange) {
        for slot in change.removed { remove(slot) }
        for slot in change.added { insert(slot) }
    }

    /// Gives a slot other flags.
    mutating func setFlags(_ flags: MemorySlot.Flags, at index: Int) {
        jointCount -= joints(from: index, to: index + 2)
        slots[index].flags = flags
        jointCount += joints(from: index, to: index + 2)
    }

    /// Makes all slots that the guest can write log dirty pages, or none.
    mutating func setLogging(_ isOn: Bool) {
        self = SlotLayout(slots: slots.map { $0.loggingDirtyPages(isOn) })
    }
}

extension SlotLayout {
    /// The same memory in as few slots as can be.
    func coalesced() -> SlotLayout {
        // Most often they are few already.
        guard jointCount > 0 else { return self }
        var merged = self
        let kept = merged.slots.withUnsafeMutableBufferPointer { slots in
            var last = 0
            for next in 1..<slots.count {
                if let both = slots[last].merged(with: slots[next]) {
                    slots[last] = both
                } else {
                    last += 1
                    if last != next { slots[last] = slots[next] }
                }
            }
            return last + 1
        }
        merged.slots.removeSubrange(kept...)
        merged.jointCount = 0
        return merged
    }

    /// Whether it is the same memory, in whatever slots, with logs or without.
    func hasSameMemory(as other: SlotLayout) -> Bool {
        func memory(_ layout: SlotLayout) -> SlotLayout {
            var layout = layout
            layout.setLogging(false)
            return layout.coalesced()
        }
        return memory(self) == memory(other)
    }
}
