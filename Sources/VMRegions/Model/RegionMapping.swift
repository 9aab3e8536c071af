/// Memory in a part of a region.
public struct RegionMapping: Hashable, Sendable {
    /// Where in the region it starts, in bytes, a multiple of 4096.
    public var offset: UInt64
    /// In bytes, a multiple of 4096.
    public var count: UInt64
    /// What the memory comes from.
    public var backing: BackingID
    /// Where in the backing it starts, in bytes, a multiple of 4096.
    public var backingOffset: UInt64
    /// Whether the guest may write, where the region is mapped writable as well.
    public var isWritable: Bool

    public init(
        offset: UInt64 = 0, count: UInt64, backing: BackingID, backingOffset: UInt64 = 0, isWritable: Bool = true
    ) {
        self.offset = offset
        self.count = count
        self.backing = backing
        self.backingOffset = backingOffset
        self.isWritable = isWritable
    }

    /// The offset in the region of its last byte; only for mappings that were checked.
    var last: UInt64 { offset + (count - 1) }

    /// The part of it from `first` through `last`, offsets in the region that are both within.
    func part(from first: UInt64, through last: UInt64) -> RegionMapping {
        var part = self
        part.offset = first
        part.count = last - first + 1
        part.backingOffset += first - offset
        return part
    }
}
