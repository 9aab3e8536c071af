import Synchronization
import VMAddressSpace
import VMMemory

/// The guest-physical space on the host: one reservation, in which each address of the guest has a fixed place.
final class GuestReservation: Sendable {
    let mapping: SparseMapping
    /// For those who remember whose pages are, and keep no guest alive.
    let presence = Presence()
    /// Called before each step on the host, which fails as it does: for tests.
    let beforeStep: StepObserver?

    typealias StepObserver = @Sendable (HostStep) throws(HostMemoryError) -> Void

    /// - Parameter addressWidth: in bits.
    init(addressWidth: Int, beforeStep: StepObserver? = nil) throws(HostMemoryError) {
        // Less than a page, or 2^63 bytes, are not to be had; the error then says so.
        mapping = try SparseMapping(byteCount: 1 << UInt64(min(max(addressWidth, 0), 63)))
        self.beforeStep = beforeStep
    }

    deinit {
        presence.end()
    }

    /// The host address of a guest-physical one.
    func hostAddress(_ address: GuestAddress) -> UInt {
        UInt(bitPattern: mapping.baseAddress) + UInt(address.rawValue)
    }
}

extension GuestReservation {
    /// Whether a reservation is still there. A weak reference would say so too, but makes counting all others slow.
    final class Presence: Sendable {
        private let hasEnded = Atomic(false)

        var isOver: Bool { hasEnded.load(ordering: .acquiring) }

        fileprivate func end() { hasEnded.store(true, ordering: .releasing) }
    }
}

/// Memory that is mapped, or about to be, as others see it.
extension GuestReservation {
    /// A region of the memory map.
    func region(_ piece: BackedPiece) throws(RegionMapError) -> any GuestMemoryRegion {
        try MemoryRegion(
            piece.range, mapping, offset: piece.range.start.rawValue, isReadOnly: !piece.memory.isWritable,
            bitmap: piece.backing.bitmap.slice(at: piece.memory.backingOffset))
    }

    func regions(_ pieces: [BackedPiece]) throws(RegionMapError) -> [any GuestMemoryRegion] {
        try pieces.mapFew { (piece) throws(RegionMapError) in try region(piece) }
    }

    func partitionMapping(_ piece: BackedPiece) -> PartitionMapping {
        PartitionMapping(
            range: piece.range, hostAddress: hostAddress(piece.range.start), isWritable: piece.memory.isWritable,
            isExecutable: piece.memory.isExecutable, prefetch: piece.memory.prefetch)
    }
}
