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
        let start = chunk << shift
        return Pages(start: GuestAddress(start), last: GuestAddress(start + (1 << shift) - 1)).range
    }

    /// `range`, which is in the guest's address space, as it is registered.
    func registrationRange(of range: MemoryRange) -> MemoryRange {
        Pages(
            start: GuestAddress(range.start.rawValue + offset), last: GuestAddress(range.last.rawValue + offset)
        ).range
    }
}

/// Whole pages in the right order because of how they were computed, where the initialisers of `MemoryRange` would have
/// to check and throw.
private struct Pages: AddressInterval {
    let start: GuestAddress
    let last: GuestAddress

    var range: MemoryRange { enclosingRange(alignedTo: .size4K) }
}
