import VMAddressSpace
import VMHost
import VMMemory

/// The guest-physical space on the host: one reservation, in which each address of the guest has a fixed place, and the
/// memory map that devices and loaders see it through.
final class GuestSpace: Sendable {
    let reservation: SparseMapping
    let map: GuestMemoryAtomic<RegionMap>
    let memory: GuestMemory
    /// What partitions show, and what their dirty logs are about: the memory map as it was before a change, until that is
    /// done.
    let shown: Monitor<RegionMap>

    /// - Parameter addressWidth: in bits.
    init(addressWidth: Int) throws(HostMemoryError) {
        // 2^63 bytes are more than any host has; the error then says so.
        reservation = try SparseMapping(byteCount: 1 << UInt64(min(addressWidth, 63)))
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
