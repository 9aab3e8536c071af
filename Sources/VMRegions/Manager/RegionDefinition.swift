import VMAddressSpace

/// A region that is to be added, complete with its memory.
public struct RegionDefinition: Sendable {
    /// Memory in a part of it.
    public struct Memory: Sendable {
        /// Where in the region it starts, in bytes, a multiple of 4096, as `count` and `backingOffset` are.
        public var offset: UInt64
        /// In bytes.
        public var count: UInt64
        /// What it comes from.
        public var backing: RegionBacking
        /// Where in the backing it starts, in bytes.
        public var backingOffset: UInt64
        /// Whether the guest may write, where the region is mapped writable as well.
        public var isWritable: Bool

        /// - Parameter isWritable: nil for what the backing allows.
        public init(
            offset: UInt64 = 0, count: UInt64, of backing: RegionBacking, backingOffset: UInt64 = 0,
            isWritable: Bool? = nil
        ) {
            self.offset = offset
            self.count = count
            self.backing = backing
            self.backingOffset = backingOffset
            self.isWritable = isWritable ?? backing.isWritable
        }

        /// As a planner has it, which knows the backing by a number.
        func mapping(of number: BackingID) -> RegionMapping {
            RegionMapping(
                offset: offset, count: count, backing: number, backingOffset: backingOffset, isWritable: isWritable)
        }
    }

    /// For people.
    public var name: String
    /// Where the guest sees it.
    public var range: MemoryRange
    /// Of regions that overlap, the one with the highest is seen; of equal ones, the oldest.
    public var priority: UInt8
    /// Disjoint, in any order.
    public var memory: [Memory]
    /// How it is mapped; nil for not at all.
    public var parameters: MapParameters?

    public init(
        _ name: String, _ range: MemoryRange, priority: UInt8 = 0, memory: [Memory] = [],
        parameters: MapParameters? = nil
    ) {
        self.name = name
        self.range = range
        self.priority = priority
        self.memory = memory
        self.parameters = parameters
    }
}
