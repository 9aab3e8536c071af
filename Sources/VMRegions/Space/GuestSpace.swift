import VMHost
import VMMemory

/// A guest's memory on the host, and the memory map that devices and loaders see it through.
final class GuestSpace: Sendable {
    let host: GuestReservation
    let map: GuestMemoryAtomic<RegionMap>
    let memory: GuestMemory
    /// What the dirty logs of partitions are about: the memory map as it was before a change, until all partitions have
    /// taken away what goes, then the one after it.
    let shown: Monitor<RegionMap>

    var reservation: SparseMapping { host.mapping }

    /// - Parameter first: of what is on the host already.
    init(_ host: GuestReservation, _ first: RegionMap) {
        self.host = host
        map = GuestMemoryAtomic(first)
        memory = GuestMemory(map)
        shown = Monitor(first)
    }
}
