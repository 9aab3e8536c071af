import VMAddressSpace

/// The number of a memory slot in its VM. Numbers of removed slots are used again, the lowest first.
public struct MemorySlotID: Hashable, Sendable {
    /// The kernel's number for it.
    public let rawValue: UInt32
}

/// A range of guest-physical addresses and the monitor's memory behind it (KVM API document, section 4.35).
public struct MemorySlot: Sendable {
    /// What a slot is for (`KVM_MEM_*`).
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// Keep a log of the pages the guest writes.
        public static let logDirtyPages = Flags(rawValue: 1 << 0)
        /// Guest writes exit as MMIO. Needs `Capability.readOnlyMemory`; cannot be changed later.
        public static let readOnly = Flags(rawValue: 1 << 1)
    }

    /// Guest-physical.
    public var range: MemoryRange
    /// The page-aligned address of the memory behind the first byte, as an integer: a slot owns no memory.
    public var hostAddress: UInt
    /// What it is for.
    public var flags: Flags

    /// - Parameters:
    ///   - range: guest-physical.
    ///   - hostAddress: of the memory behind its first byte.
    public init(range: MemoryRange, hostAddress: UInt, flags: Flags = []) {
        self.range = range
        self.hostAddress = hostAddress
        self.flags = flags
    }
}

/// Which slots a VM has: a value, so that a change can be tried on a copy and kept only once the kernel took it.
struct MemorySlotTable: Sendable {
    private(set) var slots: [MemorySlot?] = []
    let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// Puts a slot under the lowest free number, or returns nil where the limit is reached.
    mutating func insert(_ slot: MemorySlot) -> MemorySlotID? {
        if let free = slots.firstIndex(where: { $0 == nil }) {
            slots[free] = slot
            return MemorySlotID(rawValue: UInt32(free))
        }
        guard slots.count < limit else { return nil }
        slots.append(slot)
        return MemorySlotID(rawValue: UInt32(slots.count - 1))
    }

    subscript(id: MemorySlotID) -> MemorySlot? {
        get {
            slots.indices.contains(Int(id.rawValue)) ? slots[Int(id.rawValue)] : nil
        }
        set {
            guard slots.indices.contains(Int(id.rawValue)) else { return }
            slots[Int(id.rawValue)] = newValue
            while case .some(.none) = slots.last { slots.removeLast() }
        }
    }
}
