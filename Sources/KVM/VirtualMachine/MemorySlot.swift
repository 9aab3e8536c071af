import VMAddressSpace

/// The number of a memory slot in its VM. Numbers of removed slots are used again, the lowest first.
public struct MemorySlotID: Hashable, Sendable {
    /// The kernel's number for it.
    public let rawValue: UInt32
}

/// A range of guest-physical addresses and the monitor's memory behind it (KVM API document, section 4.35).
public struct MemorySlot: Hashable, Ranged, Sendable {
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

    /// How many pages of 4 KiB a slot can have: one page less than 8 TiB (`KVM_MEM_MAX_NR_PAGES` in the kernel).
    public static let maximumPageCount: UInt64 = (1 << 31) - 1

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

    /// How many words its dirty log has: a bit for each page, the first page in the lowest bit.
    public var dirtyLogWordCount: Int {
        Int((range.pageCount + 63) / 64)
    }
}
