import BenchmarkSupport
import CMeasuring
import CMemoryBaseline
import VMAddressSpace
import VMMemory
import VMRegions

extension MemoryCase {
    /// Changing the regions in force: planned, on the host, in the memory map, and in a partition that does nothing.
    static func regionChanges() throws -> [MemoryCase] {
        let changes = try RegionChanges()
        return [changes.cycle, changes.publish]
    }
}

/// 512 mapped regions of a memfd, of 1 MiB and with holes of 1 MiB between them. One more comes and goes in the hole in
/// the middle.
private final class RegionChanges {
    private static let size: UInt64 = 1 << 20
    private static let count: UInt64 = 512
    private static let start = count * size + size
    /// Memory that does not go on from one region to the next.
    private static let stride = 2 * size

    private let manager: RegionManager
    private let backing: RegionBacking
    private let regions: [RegionHandle]
    private let baseline = (
        plan: BaselinePlan(), map: BaselineMap(regions: Int(count), size: size, stride: stride),
        place: BaselinePlace(byteCount: count * stride, fileSize: (count + 1) * stride)
    )

    init() throws {
        manager = try RegionManager(addressWidth: 40)
        backing = try RegionBacking(memfd: "memory", byteCount: (Self.count + 1) * Self.stride)
        let ranges = try (0..<Self.count).map {
            try MemoryRange(start: GuestAddress($0 * Self.stride), count: Self.size)
        }
        regions = try manager.withTurn { [backing] manager throws(RegionManagerError) in
            try manager.addPartition(IdlePartition())
            var regions: [RegionHandle] = []
            for range in ranges {
                let region = try manager.addRegion("region", range, priority: 1)
                var update = RegionUpdate()
                update.addMapping(to: region, of: backing, backingOffset: range.start.rawValue, count: Self.size)
                update.map(region)
                try manager.apply(update)
                regions.append(region)
            }
            return regions
        }
        for range in ranges {
            baseline_plan_add(baseline.plan.pointer, range.start.rawValue, Self.size, 1, range.start.rawValue)
        }
    }

    /// Five requests: a region comes, gets memory, is mapped, is unmapped, and goes; its handle, too. C plans it, makes two
    /// memory maps that nobody else sees, and maps and unmaps the memory.
    var cycle: MemoryCase {
        MemoryCase("regions.addMapUnmapRemove.512regions", goal: .nanoseconds(20_000)) { [self] in
            let range = try MemoryRange(start: GuestAddress(Self.start), count: Self.size)
            return try Batches.compare(
                ours: { count in for _ in 0..<count { try addMapUnmapRemove(range) } },
                baseline: { [plan = baseline.plan, place = baseline.place] count in
                    let offset = Self.count * Self.stride
                    measuring_consume(baseline_plan_cycle(plan.pointer, Self.start, Self.size, 1, offset, count))
                    baseline_place_cycle(place.pointer, Self.start, Self.size, offset, count)
                    replaceInBaseline(count)
                })
        }
    }

    private func addMapUnmapRemove(_ range: MemoryRange) throws {
        let region = try manager.withTurn { manager throws(RegionManagerError) in
            try manager.addRegion("new", range, priority: 1)
        }
        try apply { $0.addMapping(to: region, of: backing, backingOffset: Self.count * Self.stride, count: Self.size) }
        try apply { $0.map(region) }
        try apply { $0.unmap(region) }
        try apply { $0.remove(region) }
    }

    /// Publishes a memory map with another region in one place, that shows the same memory, and back: nothing else has
    /// to change for that. C makes two maps.
    var publish: MemoryCase {
        MemoryCase("regions.publish.512regions", goal: .nanoseconds(10_000)) { [self] in
            let index = Self.count / 2
            let range = try MemoryRange(start: GuestAddress(index * Self.stride), count: Self.size)
            let twin = try manager.withTurn { [backing] manager throws(RegionManagerError) in
                let memory = RegionDefinition.Memory(
                    count: Self.size, of: backing, backingOffset: index * Self.stride)
                return try manager.addRegions([RegionDefinition("twin", range, priority: 2, memory: [memory])])[0]
            }
            let comparison = try Batches.compare(
                ours: { count in
                    for index in 0..<count {
                        try apply { index % 2 == 0 ? $0.map(twin) : $0.unmap(twin) }
                    }
                },
                baseline: replaceInBaseline)
            try apply { $0.remove(twin) }
            return comparison
        }
    }

    private func apply(_ change: (inout RegionUpdate) -> Void) throws {
        var update = RegionUpdate()
        change(&update)
        try manager.withTurn { [update] manager throws(RegionManagerError) in try manager.apply(update) }
    }

    private func replaceInBaseline(_ count: UInt64) {
        let map = baseline.map
        map.pointer = baseline_map_replace(map.pointer, Self.stride, Self.count - 1, count)
    }
}

/// A partition that has nothing to do.
private final class IdlePartition: Partition {
    let name = "idle"
    var inspection: PartitionInspection { PartitionInspection(name: name) }

    func begin(_ change: PartitionChange) throws(PartitionError) {}
    func unmap(_ ranges: [MemoryRange]) throws(PartitionError) {}
    func map(_ mappings: [PartitionMapping]) throws(PartitionError) {}
    func end() {}
}
