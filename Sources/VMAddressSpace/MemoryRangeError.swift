/// Why numbers make no `MemoryRange`.
public enum MemoryRangeError: Error, Hashable, CustomStringConvertible {
    /// It would have no byte.
    case empty(start: GuestAddress)
    /// Its last byte is below its first.
    case reversed(start: GuestAddress, last: GuestAddress)
    /// `start` is not a multiple of 4 KiB.
    case unalignedStart(GuestAddress)
    /// `count`, in bytes, is not a multiple of 4 KiB.
    case unalignedCount(start: GuestAddress, count: UInt64)
    /// It would end above 2^64.
    case pastEnd(start: GuestAddress, count: UInt64)
    /// The same, in page frames.
    case framesPastEnd(Range<UInt64>)

    public var description: String {
        switch self {
        case .empty(let start):
            "a memory range at \(start) has no bytes"
        case .reversed(let start, let last):
            "a memory range from \(start) has its last byte below that, at \(last)"
        case .unalignedStart(let start):
            "a memory range starts at \(start), which is not a multiple of \(PageSize.size4K)"
        case .unalignedCount(let start, let count):
            "a memory range at \(start) is \(count) bytes long, which is not a multiple of \(PageSize.size4K)"
        case .pastEnd(let start, let count):
            "a memory range of \(count) bytes at \(start) passes the last address"
        case .framesPastEnd(let frames):
            "a memory range of the page frames \(frames) passes the last one, \(GuestAddress.frameCount - 1)"
        }
    }
}
