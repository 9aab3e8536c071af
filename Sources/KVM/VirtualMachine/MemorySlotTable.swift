/// Which slots a VM has, under which numbers.
struct MemorySlotTable: Sendable {
    /// By number; nil where one is free.
    private(set) var slots: [MemorySlot?] = []
    private var free = FreeNumbers()
    let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// Puts a slot under the lowest free number, or returns nil where the limit is reached. Takes time logarithmic in how
    /// many numbers below the highest are free.
    mutating func insert(_ slot: MemorySlot) -> MemorySlotID? {
        if let number = free.takeLowest() {
            slots[number] = slot
            return MemorySlotID(rawValue: UInt32(number))
        }
        guard slots.count < limit else { return nil }
        slots.append(slot)
        return MemorySlotID(rawValue: UInt32(slots.count - 1))
    }

    /// The slot under a number. Setting it to nil frees the number; a number without a slot stays without.
    subscript(id: MemorySlotID) -> MemorySlot? {
        get {
            slots.indices.contains(Int(id.rawValue)) ? slots[Int(id.rawValue)] : nil
        }
        set {
            guard self[id] != nil else { return }
            slots[Int(id.rawValue)] = newValue
            if newValue == nil { free.insert(Int(id.rawValue)) }
        }
    }
}
