import BenchmarkSupport
import CMeasuring
import CMemoryBaseline
import VMAddressSpace
import VMRegions

extension MemoryCase {
    /// Planning what becomes of a guest's view when its regions change. Nothing is mapped anywhere.
    static func plans() throws -> [MemoryCase] {
        try [Plans(isOverRAM: false).cycle, Plans(isOverRAM: true).cycle]
    }
}

/// 512 mapped regions with memory, of 1 MiB and with holes of 1 MiB between them; or 511 such over one that has all
/// addresses. One more comes and goes in the hole in the middle.
private final class Plans {
    private static let size: UInt64 = 1 << 20
    private static let count: UInt64 = 512
    private static let start = count * size + size

    private let isOverRAM: Bool
    private var planner = RegionPlanner()
    private let backing: BackingID
    private let baseline = BaselinePlan()

    init(isOverRAM: Bool) throws {
        self.isOverRAM = isOverRAM
        backing = planner.addBacking(BackingDescription(name: "memory", byteCount: 1 << 40))
        let indices = isOverRAM ? 1..<Self.count : 0..<Self.count
        if isOverRAM { try add(at: 0, size: 2 * Self.count * Self.size, priority: 0, offset: 1 << 38) }
        // Memory that does not go on from one to the next.
        for index in indices {
            try add(at: 2 * index * Self.size, size: Self.size, priority: 1, offset: 3 * index * Self.size)
        }
    }

    private func add(at start: UInt64, size: UInt64, priority: UInt8, offset: UInt64) throws {
        let id = planner.makeRegionID()
        let range = try MemoryRange(start: GuestAddress(start), count: size)
        _ = try planner.plan([
            .add(id, name: "region \(id)", range: range, priority: priority),
            .addMapping(id, RegionMapping(count: size, backing: backing, backingOffset: offset)),
            .map(id, MapParameters()),
        ])
        baseline_plan_add(baseline.pointer, start, size, UInt32(priority), offset)
    }

    /// Five plans: a region comes, gets memory, is mapped, is unmapped, and goes.
    var cycle: MemoryCase {
        let name = "plan.addMapUnmapRemove.512regions" + (isOverRAM ? ".over-ram" : "")
        return MemoryCase(name, goal: .nanoseconds(5000)) {
            let expected: UInt64 = self.isOverRAM ? 4 : 2
            return try Batches.compare(
                ours: { count in
                    guard try self.cycle(count) == count * expected else { throw BenchmarkError("other operations") }
                },
                baseline: { count in
                    let operations = baseline_plan_cycle(
                        self.baseline.pointer, Self.start, Self.size, 1, 1 << 39, count)
                    guard operations == count * expected else { throw BenchmarkError("other operations of C's") }
                })
        }
    }

    private func cycle(_ count: UInt64) throws -> UInt64 {
        let mapping = RegionMapping(count: Self.size, backing: backing, backingOffset: 1 << 39)
        var operations = 0
        for _ in 0..<count {
            let id = planner.makeRegionID()
            let range = try MemoryRange(start: GuestAddress(measuring_opaque(Self.start)), count: Self.size)
            operations += try planner.plan([.add(id, name: "new", range: range, priority: 1)]).operations.count
            operations += try planner.plan([.addMapping(id, mapping)]).operations.count
            operations += try planner.plan([.map(id, MapParameters())]).operations.count
            operations += try planner.plan([.unmap(id)]).operations.count
            operations += try planner.plan([.remove(id)]).operations.count
        }
        return UInt64(operations)
    }
}
