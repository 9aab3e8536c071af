import VMAddressSpace

/// How the guest's address space divides into chunks, and where its registrations lie.
struct ChunkGeometry: Sendable {
    /// The binary logarithm of a chunk's size in bytes, at most `addressSpaceBits`.
    let shift: UInt64
    /// At most 52, so that no sum below passes 2^64.
    let addressSpaceBits: UInt64
    /// What is added to a guest address to register it: a multiple of the page size that keeps the whole address space
    /// below 2^64.
    let offset: UInt64

    /// The number of chunks.
    var count: UInt64 { 1 << (addressSpaceBits - shift) }

    /// Whether all of `range` is in the guest's address space.
    func contains(_ range: MemoryRange) -> Bool {
        range.last.rawValue >> addressSpaceBits == 0
    }

    /// The chunks that `range` touches.
    func chunks(of range: MemoryRange) -> ClosedRange<UInt64> {
        (range.start.rawValue >> shift)...(range.last.rawValue >> shift)
    }

    /// The addresses of a chunk.
    func range(of chunk: UInt64) -> MemoryRange {
        // A chunk is a power of two of bytes, and at least a page: it begins and ends with one.
        let start = chunk << shift
        return MemoryRange(
            uncheckedFrom: GuestAddress(start), through: GuestAddress(start + (1 << shift) - 1))
    }

    /// `range`, which is in the guest's address space, as it is registered.
    func registrationRange(of range: MemoryRange) -> MemoryRange {
        // The offset is a multiple of the page size, and no sum passes 2^64: pages remain pages, in the same order.
        MemoryRange(
            uncheckedFrom: GuestAddress(range.start.rawValue + offset),
            through: GuestAddress(range.last.rawValue + offset))
    }
}
