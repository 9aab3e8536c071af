import BenchmarkSupport
import CMeasuring
import CMemoryBaseline
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

extension MemoryCase {
    /// Finding the region of an address, and changing the map.
    static func maps() throws -> [MemoryCase] {
        let maps = try [2, 64, 512].map(Maps.init)
        return maps.flatMap { [$0.find, $0.findRegion] } + [maps[1].replace, maps[1].replaceInPlace, maps[2].change]
    }
}

/// Maps of regions of 1 MiB with holes of 1 MiB between them. Every address looked up is in a region.
private final class Maps {
    private static let size: UInt64 = 1 << 20
    private static let stride = 2 * size
    private static let mask: UInt64 = 4095

    private let count: Int
    private let addresses: [UInt64]
    private let ranges: [MemoryRange]
    private var ours: RegionMap
    private let baseline: BaselineMap

    init(count: Int) throws {
        self.count = count
        var random = Xorshift(seed: 42)
        addresses = (0...Self.mask).map { _ in
            random.next() % UInt64(count) * Self.stride + random.next() % Self.size
        }
        ours = try RegionMap(regions(count, size: Self.size, stride: Self.stride, NoBitmap.self))
        ranges = ours.regions.map(\.range)
        baseline = BaselineMap(regions: count, size: Self.size, stride: Self.stride)
    }

    private func find(_ name: String, _ goal: Goal?, _ ours: @escaping (UInt64) throws -> Void) -> MemoryCase {
        MemoryCase("map.find.\(count)regions" + name, peerName: "map.find.\(count)regions", goal: goal) {
            try Batches.compare(
                ours: ours, baseline: { baseline_map_find(self.baseline.pointer, self.addresses, Self.mask, $0) })
        }
    }

    /// What of a region an address is in.
    var find: MemoryCase {
        find("", .timesPeer(1)) { [ours, addresses] count in
            for index in 0..<count {
                let address = GuestAddress(measuring_opaque(addresses[Int(index & Self.mask)]))
                measuring_consume(ours.rangeOfRegion(containing: address)?.start.rawValue ?? .max)
            }
        }
    }

    /// The region itself, as a reference that may be kept.
    var findRegion: MemoryCase {
        find(".region", nil) { [ours, addresses] count in
            for index in 0..<count {
                let address = GuestAddress(measuring_opaque(addresses[Int(index & Self.mask)]))
                measuring_consume(ours.region(containing: address)?.range.start.rawValue ?? .max)
            }
        }
    }

    private func replace(
        _ name: String, _ goal: Goal?, _ ours: @escaping (inout RegionMap, MemoryRange) throws -> Void
    ) -> MemoryCase {
        MemoryCase("map.replace.\(count)regions" + name, peerName: "map.replace.\(count)regions", goal: goal) {
            let mask = UInt64(self.count - 1)
            let comparison = try Batches.compare(
                ours: { count in
                    for index in 0..<count { try ours(&self.ours, self.ranges[Int(measuring_opaque(index & mask))]) }
                },
                baseline: self.replaceInBaseline)
            guard self.ours.regions.map(\.range) == self.ranges else { throw BenchmarkError("regions have been lost") }
            return comparison
        }
    }

    private func replaceInBaseline(_ count: UInt64) {
        let mask = UInt64(self.count - 1)
        baseline.pointer = baseline_map_replace(baseline.pointer, Self.stride, mask, count)
    }

    /// Publishes a map with a region exchanged for another in one step. C's removes one and inserts it again: two new maps,
    /// which nobody else sees.
    var change: MemoryCase {
        MemoryCase("map.change.\(count)regions", goal: .nanoseconds(10_000)) { [self] in
            let shared = GuestMemoryAtomic(ours)
            let regions = ours.regions
            let mask = UInt64(regions.count - 1)
            let comparison = try Batches.compare(
                ours: { count in
                    for index in 0..<count {
                        let index = Int(measuring_opaque(index & mask))
                        try shared.update { map throws(RegionMapError) in
                            try map.changing(removing: [ranges[index]], inserting: [regions[index]])
                        }
                    }
                },
                baseline: replaceInBaseline)
            guard shared.memory().retained().ranges == ranges else { throw BenchmarkError("regions have been lost") }
            return comparison
        }
    }

    /// Removes a region and inserts it again: two new maps.
    var replace: MemoryCase {
        replace("", .timesPeer(1)) { map, range in
            let (smaller, region) = try map.removing(range)
            map = try smaller.inserting(region)
        }
    }

    /// Puts a region in the place of one of the same range: one new map.
    var replaceInPlace: MemoryCase {
        let regions = ours.regions
        return replace(".in-place", nil) { map, range in
            map = try map.replacing(with: regions[Int(range.start.rawValue / Self.stride)])
        }
    }
}
