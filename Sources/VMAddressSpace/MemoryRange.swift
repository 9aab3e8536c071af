/// A non-empty, half-open range of guest-physical memory in whole pages of 4 KiB, which can end at 2^64.
@frozen
public struct MemoryRange: AddressInterval {
    public let start: GuestAddress
    public let last: GuestAddress

    /// All addresses, 2^64 bytes.
    @inlinable
    public static var whole: MemoryRange {
        MemoryRange(uncheckedFrom: GuestAddress(0), through: GuestAddress(.max))
    }

    /// - Parameter count: its length in bytes.
    /// - Throws: `MemoryRangeError` where `start` or `count` is not a multiple of 4 KiB, or the range would be empty or
    ///   pass 2^64.
    @inlinable
    public init(start: GuestAddress, count: UInt64) throws(MemoryRangeError) {
        guard count > 0 else { throw .empty(start: start) }
        guard start.isAligned(to: PageSize.size4K.bytes) else { throw .unalignedStart(start) }
        guard count & PageSize.size4K.mask == 0 else { throw .unalignedCount(start: start, count: count) }
        guard let last = start.advanced(byBytes: count - 1) else { throw .pastEnd(start: start, count: count) }
        self.init(uncheckedFrom: start, through: last)
    }

    /// - Parameter last: the address of its last byte.
    /// - Throws: `MemoryRangeError` where `last` is below `start`, or the two are not the first and the last byte of
    ///   pages.
    @inlinable
    public init(from start: GuestAddress, through last: GuestAddress) throws(MemoryRangeError) {
        guard let range = AddressRange(from: start, through: last) else { throw .reversed(start: start, last: last) }
        try self.init(range)
    }

    /// The same bytes.
    /// - Throws: `MemoryRangeError` where they are not whole pages.
    @inlinable
    public init(_ range: AddressRange) throws(MemoryRangeError) {
        let page = PageSize.size4K.bytes
        guard range.start.isAligned(to: page) else { throw .unalignedStart(range.start) }
        guard range.isAligned(to: page) else { throw .unalignedCount(start: range.start, count: range.count) }
        self.init(uncheckedFrom: range.start, through: range.last)
    }

    /// For bounds that are known to be in order, and the first and the last byte of pages, by how they were computed.
    /// The caller says why; debug builds check.
    @inlinable
    package init(uncheckedFrom start: GuestAddress, through last: GuestAddress) {
        assert(start <= last && (start.rawValue | ~last.rawValue) & PageSize.size4K.mask == 0)
        self.start = start
        self.last = last
    }

    /// Ends before it starts, so that no address is in it: for a table that has an entry where it has nothing.
    package static let nowhere = MemoryRange(nowhere: ())

    private init(nowhere: ()) {
        start = GuestAddress(.max)
        last = GuestAddress(0)
    }

    /// For bytes that are known to be whole pages.
    @inlinable
    init(unchecked range: AddressRange) {
        self.init(uncheckedFrom: range.start, through: range.last)
    }

    /// The pages that both have, or nil where there are none.
    @inlinable
    public func intersection(_ other: MemoryRange) -> MemoryRange? {
        AddressRange(self).intersection(other).map(MemoryRange.init(unchecked:))
    }

    /// A range of the same length elsewhere.
    /// - Throws: `MemoryRangeError` where `start` is not a multiple of 4 KiB, or the range would pass 2^64.
    @inlinable
    public func moved(to start: GuestAddress) throws(MemoryRangeError) -> MemoryRange {
        guard start.isAligned(to: PageSize.size4K.bytes) else { throw .unalignedStart(start) }
        guard let last = start.advanced(byBytes: last.rawValue - self.start.rawValue) else {
            throw .pastEnd(start: start, count: count)
        }
        return MemoryRange(uncheckedFrom: start, through: last)
    }
}
