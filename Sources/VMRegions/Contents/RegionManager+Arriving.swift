import VMAddressSpace

/// Memory whose contents come while the guest runs.
extension RegionManager {
    /// Pages of a backing where the guest sees them.
    public struct SeenBytes: Sendable {
        public let backing: RegionBacking
        /// In the backing.
        public let bytes: Range<UInt64>
        /// Of the first.
        public let hostAddress: UInt
    }

    /// What the guest sees, ascending, with where that is on the host. It stays so while a `RegionHold` is kept.
    public var seenBytes: [SeenBytes] {
        inForce.map {
            SeenBytes(backing: $0.backing, bytes: $0.bytes, hostAddress: space.host.hostAddress($0.range.start))
        }
    }

    /// From now on not all memory has its contents: nobody can copy it, until `endArriving()`.
    public func beginArriving() {
        isArriving = true
    }

    /// All has come.
    public func endArriving() {
        isArriving = false
    }
}
