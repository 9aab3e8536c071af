import VMAddressSpace

/// Why there is no such region or memory map.
public enum RegionMapError: Error, Hashable, CustomStringConvertible {
    /// Two regions share an address.
    case overlap(MemoryRange, MemoryRange)
    /// A region stands before one with lower addresses.
    case unsorted(MemoryRange, after: MemoryRange)
    /// No region has exactly this range.
    case noSuchRegion(MemoryRange)
    /// A region does not begin at a page of what is to lie behind it, by its offset there in bytes: what is aligned for the
    /// guest would not be on the host.
    case unalignedOffset(MemoryRange, offset: UInt64)
    /// What is to lie behind a region is too short, by its own length in bytes.
    case backingTooShort(MemoryRange, offset: UInt64, byteCount: UInt64)

    public var description: String {
        switch self {
        case .overlap(let one, let other):
            "the memory regions \(one) and \(other) overlap"
        case .unsorted(let range, let before):
            "the memory region \(range) stands after \(before): regions are given in ascending order"
        case .noSuchRegion(let range):
            "there is no memory region \(range) in the map"
        case .unalignedOffset(let range, let offset):
            "the memory region \(range) cannot begin at offset \(offset) of what lies behind it, which is not a multiple of "
                + "\(PageSize.size4K)"
        case .backingTooShort(let range, let offset, let byteCount):
            "the memory region \(range) needs \(range.count) bytes from offset \(offset) on, but what lies behind it ends "
                + "at \(byteCount)"
        }
    }
}
