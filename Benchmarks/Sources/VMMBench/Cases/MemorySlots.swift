import BenchmarkSupport
import CBaseline
import Glibc
import VMAddressSpace
import VMBoot
import VMMachine
import VMMemory
import VMRegions

extension Case {
    /// Memory slots that come and go beside 512 others, by a partition and by the bare ioctls, in VMs whose vCPUs do not
    /// run.
    static let memorySlots = Case(name: "memory-slots") { _ in
        let slots = try ManySlots()
        let added = try interleavedMedians(pairs: 501, ours: slots.addAndRemove, baseline: slots.addAndRemoveBaseline)
        let overlaid = try interleavedMedians(pairs: 201, ours: slots.overlay, baseline: slots.overlayBaseline)
        return [
            Measurement(
                name: "memory-slots-add-remove", unit: "us", ours: added.ours, baseline: added.baseline),
            Measurement(
                name: "memory-slots-rom-on-off", unit: "us", ours: overlaid.ours, baseline: overlaid.baseline),
        ]
    }
}

/// A VM of ours and one of the baseline's, with the same 513 slots: RAM of the machine, and 512 of two pages, with a page
/// between them.
private final class ManySlots {
    private let machine: Machine
    private let baseline = baseline_slots_create()
    private let host: HostMapping
    private let count: UInt64 = 512
    private let start: UInt64 = 1 << 30
    private let page = PageSize.size4K.bytes

    init() throws {
        let code: [UInt8] = [0xf4]
        machine = try Machine(
            MachineConfiguration(guest: "none", format: .flat64, memory: ByteSize(bytes: 2 << 20), irqchip: .none),
            image: GuestImage(name: "none", bytes: code), console: Marks())
        host = try HostMapping(anonymous: (3 * count + 512) * page)
        let mappings = try (0..<count).map { try mapping(3 * $0, pages: 2) }
        try change(map: mappings)
        let ram = try MemoryRange(start: GuestAddress(0), count: 2 << 20)
        for (number, mapping) in ([PartitionMapping(range: ram, hostAddress: address(0), isWritable: true)] + mappings)
            .enumerated()
        {
            baseline_slots_add(baseline, UInt32(number), slot(mapping))
        }
    }

    deinit {
        baseline_slots_destroy(baseline)
    }

    // MARK: One more slot, added and removed

    func addAndRemove() throws -> Double {
        let mapping = try mapping(3 * count, pages: 16)
        return try microseconds {
            try change(map: [mapping])
            try change(unmap: [mapping.range])
        }
    }

    func addAndRemoveBaseline() throws -> Double {
        let slot = slot(try mapping(3 * count, pages: 16))
        return microseconds {
            baseline_slots_add(baseline, UInt32(count) + 1, slot)
            baseline_slots_remove(baseline, UInt32(count) + 1, slot)
        }
    }

    // MARK: Read-only memory over the second page of a slot, and the slot as it was

    func overlay() throws -> Double {
        let rom = try mapping(301, pages: 1, isWritable: false)
        let ram = try mapping(301, pages: 1)
        return try microseconds {
            try change(unmap: [ram.range], map: [rom])
            try change(unmap: [rom.range], map: [ram])
        }
    }

    func overlayBaseline() throws -> Double {
        let whole = slot(try mapping(300, pages: 2))
        let left = slot(try mapping(300, pages: 1))
        let rom = slot(try mapping(301, pages: 1, isWritable: false))
        let (number, other) = (UInt32(101), UInt32(count) + 1)
        return microseconds {
            baseline_slots_remove(baseline, number, whole)
            baseline_slots_add(baseline, number, left)
            baseline_slots_add(baseline, other, rom)
            baseline_slots_remove(baseline, number, left)
            baseline_slots_remove(baseline, other, rom)
            baseline_slots_add(baseline, number, whole)
        }
    }

    // MARK: Parts

    private func change(unmap: [MemoryRange] = [], map: [PartitionMapping] = []) throws {
        let partition = machine.partition
        try partition.begin(PartitionChange(unmapped: unmap, mapped: map))
        defer { partition.end() }
        if !unmap.isEmpty { try partition.unmap(unmap) }
        if !map.isEmpty { try partition.map(map) }
    }

    private func mapping(_ first: UInt64, pages: UInt64, isWritable: Bool = true) throws -> PartitionMapping {
        PartitionMapping(
            range: try MemoryRange(start: GuestAddress(start + first * page), count: pages * page),
            hostAddress: address(first), isWritable: isWritable)
    }

    private func address(_ page: UInt64) -> UInt {
        UInt(bitPattern: host.baseAddress) + UInt(page * self.page)
    }

    private func slot(_ mapping: PartitionMapping) -> baseline_slot {
        baseline_slot(
            guest_address: mapping.range.start.rawValue, host_address: UInt64(mapping.hostAddress),
            size: mapping.range.count, is_read_only: !mapping.isWritable)
    }
}
