import VMAddressSpace
import VMHost
import VMMemory

/// The guest-physical space on the host: one reservation, in which each address of the guest has a fixed place, and the
/// memory map that devices and loaders see it through.
final class GuestSpace: Sendable {
    let reservation: SparseMapping
    let map: GuestMemoryAtomic<RegionMap>
    let memory: GuestMemory
    /// What the dirty logs of partitions are about: the memory map as it was before a change, until all partitions have
    /// taken away what goes, then the one after it.
    let shown: Monitor<RegionMap>
    /// Called before each step on the host, which fails as it does: for tests.
    let beforeStep: StepObserver?

    typealias StepObserver = @Sendable (HostStep) throws(HostMemoryError) -> Void

    /// - Parameter addressWidth: in bits.
    init(addressWidth: Int, beforeStep: StepObserver? = nil) throws(HostMemoryError) {
        // Less than a page, or 2^63 bytes, are not to be had; the error then says so.
        reservation = try SparseMapping(byteCount: 1 << UInt64(min(max(addressWidth, 0), 63)))
        self.beforeStep = beforeStep
        let empty = RegionMap()
        map = GuestMemoryAtomic(empty)
        memory = GuestMemory(map)
        shown = Monitor(empty)
    }

    /// The host address of a guest-physical one.
    func hostAddress(_ address: GuestAddress) -> UInt {
        UInt(bitPattern: reservation.baseAddress) + UInt(address.rawValue)
    }
}
