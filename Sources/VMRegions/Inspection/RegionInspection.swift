import VMAddressSpace

/// All that a region manager knows, at one moment: for people, and as JSON.
public struct RegionInspection: Hashable, Sendable, Codable {
    public struct Region: Hashable, Sendable, Codable {
        public let id: RegionID
        public let name: String
        public let range: InspectedRange
        public let priority: UInt8
        /// Nil while it is not mapped.
        public let parameters: MapParameters?
        /// How much of it the guest sees, in bytes.
        public let visibleByteCount: UInt64
        public let mappings: [Mapping]
    }

    public struct Mapping: Hashable, Sendable, Codable {
        /// Guest-physical.
        public let range: InspectedRange
        public let backing: String
        /// In bytes.
        public let backingOffset: UInt64
        public let writable: Bool
    }

    /// A run of addresses as the guest sees it.
    public struct Piece: Hashable, Sendable, Codable {
        public let range: InspectedRange
        public let region: String
        /// Nil where the region has no memory.
        public let memory: Memory?
    }

    public struct Memory: Hashable, Sendable, Codable {
        public let backing: String
        /// In bytes.
        public let backingOffset: UInt64
        public let writable: Bool
        public let executable: Bool
        public let prefetch: Bool
    }

    public struct Backing: Hashable, Sendable, Codable {
        public let name: String
        public let byteCount: UInt64
        public let writable: Bool
        /// Whether each page can be at several places.
        public let shareable: Bool
        /// How many bytes are kept aside, because the guest does not see them.
        public let parkedByteCount: UInt64
        /// How many pages were written and not harvested.
        public let dirtyPageCount: UInt64
    }

    /// A region without a handle.
    public struct Orphan: Hashable, Sendable, Codable {
        public let id: RegionID
        public let name: String
    }

    /// A change that could not be taken back.
    public struct UnfinishedChange: Hashable, Sendable, Codable {
        /// Why it failed.
        public let failure: String
        /// Why it could not be taken back the last time.
        public let restoring: String
    }

    public let addressWidth: Int
    public let policy: OverlapPolicy
    /// By where they start; those that start together, the oldest first.
    public let regions: [Region]
    /// What the guest sees, ascending.
    public let view: [Piece]
    /// In the order in which they were first used.
    public let backings: [Backing]
    public let partitions: [PartitionInspection]
    /// The regions that have lost their handles and could not be removed yet, the oldest first. It is tried again and again.
    public let orphans: [Orphan]
    /// A change that failed and has still to be taken back, which is tried again and again; nil where there is none. The
    /// guest may stand still until then.
    public let unfinished: UnfinishedChange?
    public let counters: RegionCounters
}

/// All that is known of a partition.
public struct PartitionInspection: Hashable, Sendable, Codable {
    /// Memory that it has.
    public struct Slot: Hashable, Sendable, Codable {
        public let number: UInt32
        public let range: InspectedRange
        public let writable: Bool

        public init(number: UInt32, range: MemoryRange, writable: Bool) {
            self.number = number
            self.range = InspectedRange(range)
            self.writable = writable
        }
    }

    public let name: String
    /// Ascending by address.
    public let slots: [Slot]
    /// What it has done, by what that is called.
    public let counters: [String: UInt64]

    public init(name: String, slots: [Slot] = [], counters: [String: UInt64] = [:]) {
        self.name = name
        self.slots = slots
        self.counters = counters
    }
}
