extension MemoryRange {
    /// The two parts below and from `address` on.
    /// - Returns: nil where there are no two such ranges: `address` is not within, is its start, or is not a multiple of
    ///   4 KiB.
    @inlinable
    public func split(at address: GuestAddress) -> (below: MemoryRange, above: MemoryRange)? {
        guard contains(address), address != start, address.isAligned(to: PageSize.size4K.bytes) else { return nil }
        return (
            MemoryRange(uncheckedFrom: start, through: GuestAddress(address.rawValue - 1)),
            MemoryRange(uncheckedFrom: address, through: last)
        )
    }

    /// It in ascending pieces that each lie between two neighbouring multiples of `stride`: all but the first and the last
    /// are `stride` bytes long. Lazy, and without allocations of its own.
    /// - Parameter stride: in bytes; a part of a page counts as a page, and so does 0.
    @inlinable
    public func chunks(of stride: UInt64) -> MemoryChunks {
        MemoryChunks(self, stride: stride)
    }
}

/// A range cut at the multiples of a stride.
@frozen
public struct MemoryChunks: Sequence, IteratorProtocol, Sendable {
    @usableFromInline
    var rest: MemoryRange?
    /// At most 2^52.
    @usableFromInline
    let framesPerChunk: UInt64

    @inlinable
    init(_ range: MemoryRange, stride: UInt64) {
        self.rest = range
        let wholePages = stride >> PageSize.size4K.shift
        self.framesPerChunk = Swift.max(1, stride & PageSize.size4K.mask == 0 ? wholePages : wholePages + 1)
    }

    @inlinable
    public mutating func next() -> MemoryRange? {
        guard let range = rest else { return nil }
        let boundary = (range.start.frame / framesPerChunk + 1) * framesPerChunk
        guard let address = GuestAddress(frame: boundary), let (chunk, above) = range.split(at: address) else {
            rest = nil
            return range
        }
        rest = above
        return chunk
    }
}
