import VMAddressSpace
import VMHost

/// Registers guest RAM with a user of it (`MemoryRegistration`) just before an address in it is handed to that user,
/// so that starting a guest does not wait for all of its memory to be registered.
///
/// The guest's address space is divided into chunks, of 2 GiB unless told otherwise: large enough for the kernel to use
/// large pages and for few calls, small enough that the first use of one is quick. The first `expose` of an address
/// registers all RAM of its chunk, one call for each RAM range in it; later ones find a bit clear and return.
///
/// - A failure leaves the chunk as it was: what the failed attempt had registered is unregistered again, last first. It
///   is not remembered, so the next `expose` tries again. What the target will not undo is: it is not registered twice.
/// - Addresses that are not RAM need no registration and are passed over, also past the end of the address space.
/// - RAM can be added and removed, and registrations ended, at any time. What is registered when the registrar goes away
///   stays so: close the target, or call `unregister` first.
///
/// **Threads.** Any, several at once. A hit takes no lock. A chunk is registered by one thread, which holds no lock
/// meanwhile; others that need the chunk wait for it, those that need other chunks go on. A thread that waited for
/// another's failure makes its own attempt.
///
/// **Order.** The bit of a chunk is cleared, releasing, once all of its RAM is registered, and `expose` loads it
/// acquiring: what the target did before `register(_:)` returned is visible to whoever `expose` returns to. The bit is set
/// before a thread begins to unregister any part of the chunk, so an `expose` that begins later waits for the end of
/// that and registers anew. It cannot help one that has already returned. Hence the order that callers keep:
/// - To end: stop handing out the addresses (replace the memory map, and wait for the readers of the old one), wait
///   until their users have let go, then `unregister` or `removeRAM`, and only then unmap the memory.
/// - To begin: `addRAM`, and only then publish the memory map with the new RAM. Between the two no thread exposes it.
///
/// Sizes, counts and offsets are in bytes.
public final class MemoryRegistrar<Target: MemoryRegistration>: Sendable {
    /// What it throws.
    public typealias Failure = MemoryRegistrarError<Target.Failure>

    /// The binary logarithm of a chunk's size.
    @usableFromInline let chunkShift: UInt64
    /// The chunks with RAM that is not registered, or that a thread is unregistering. Changed with the lock held only.
    /// Chunks without RAM have a clear bit like those that are done, so that only RAM costs memory here.
    @usableFromInline let incomplete: ChunkBitmap
    let geometry: ChunkGeometry
    let ledger: Monitor<RegistrationLedger>
    let target: Target

    /// Makes a registrar and registers nothing yet.
    ///
    /// - Parameters:
    ///   - target: what to register RAM with.
    ///   - ram: the RAM there is at first, in any order.
    ///   - chunkSize: a power of two from 2 MiB to the size of the address space.
    ///   - addressSpaceBits: the width of a guest-physical address, from 32 to 52: RAM, also RAM added later, lies below
    ///     2^bits. A bitmap of 2^bits / chunkSize bits is set aside, made resident only where there is RAM.
    ///   - registrationOffset: added to the guest addresses that the target is given, a multiple of 4 KiB.
    /// - Throws: `invalidAddressSpaceBits`, `invalidChunkSize`, `invalidOffset`, `noHostMemory`; for `ram`, what
    ///   `addRAM(_:)` throws.
    public init(
        target: Target,
        ram: [MemoryRange] = [],
        chunkSize: UInt64 = 2 << 30,
        addressSpaceBits: Int = 52,
        registrationOffset: UInt64 = 0
    ) throws(Failure) {
        guard (32...52).contains(addressSpaceBits) else { throw .invalidAddressSpaceBits(addressSpaceBits) }
        let size: UInt64 = 1 << UInt64(addressSpaceBits)
        guard chunkSize.nonzeroBitCount == 1, (PageSize.size2M.bytes...size).contains(chunkSize) else {
            throw .invalidChunkSize(chunkSize, addressSpaceBits: addressSpaceBits)
        }
        guard GuestAddress(registrationOffset).isAligned(to: PageSize.size4K.bytes),
            !registrationOffset.addingReportingOverflow(size - 1).overflow
        else { throw .invalidOffset(registrationOffset, addressSpaceBits: addressSpaceBits) }
        let geometry = ChunkGeometry(
            shift: UInt64(chunkSize.trailingZeroBitCount), addressSpaceBits: UInt64(addressSpaceBits),
            offset: registrationOffset)
        guard let incomplete = ChunkBitmap(count: geometry.count) else {
            throw .noHostMemory(count: ChunkBitmap.byteCount(bits: geometry.count))
        }
        self.target = target
        self.geometry = geometry
        self.chunkShift = geometry.shift
        self.incomplete = incomplete
        self.ledger = Monitor(RegistrationLedger(geometry: geometry))
        for range in ram.sorted() { try addRAM(range) }
    }

    /// Returns once all RAM among `count` bytes from `address` on is registered. None of them need be RAM.
    ///
    /// - Throws: `pastEnd` where they pass 2^64; `registrationFailed` where the target refused RAM of a chunk: the chunks
    ///   below that one are done, those above have not been tried.
    @inlinable
    public func expose(_ address: GuestAddress, count: UInt64) throws(Failure) {
        guard count > 0 else { return }
        let (last, overflow) = address.rawValue.addingReportingOverflow(count &- 1)
        guard !overflow else { throw .pastEnd(address, count: count) }
        try expose(from: address.rawValue &>> chunkShift, through: last &>> chunkShift)
    }

    /// Returns once all RAM in `range` is registered. None of it need be RAM.
    ///
    /// - Throws: `registrationFailed`, as the other.
    @inlinable
    public func expose(_ range: some AddressInterval) throws(Failure) {
        try expose(from: range.start.rawValue &>> chunkShift, through: range.last.rawValue &>> chunkShift)
    }

    @inlinable
    func expose(from first: UInt64, through last: UInt64) throws(Failure) {
        let isHit = first == last ? !incomplete.contains(first) : incomplete.first(in: first...last) == nil
        if !isHit { try complete(first...last) }
    }
}
