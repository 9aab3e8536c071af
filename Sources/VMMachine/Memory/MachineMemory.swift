import KVM
import VMAddressSpace
import VMBoot
import VMMemory
import VMRegions

/// A machine's guest memory: its regions, and the memory slots that show them to the guest. It stays mapped for as long as
/// anybody refers to this object.
final class MachineMemory: Sendable {
    let shared: SharedVM
    let regions: RegionManager
    let partition: KVMPartition

    var memory: GuestMemory { regions.memory }

    /// - Parameters:
    ///   - definitions: what it is made of, the oldest first.
    ///   - physicalAddressBits: how many the guest's processors have.
    ///   - gate: to the vCPUs, which need not be there yet.
    init(
        _ shared: SharedVM, _ definitions: [RegionDefinition], physicalAddressBits: Int, gate: PauseGate
    ) throws(MachineError) {
        (regions, partition) = try Self.makeManager(physicalAddressBits, definitions) { dirtyLog in
            KVMPartition(
                shared,
                gate: KVMPartition.ProcessorGate(quiesce: { gate.pause(.memory) }, resume: { gate.resume(.memory) }),
                dirtyPages: dirtyLog)
        }
        self.shared = shared
    }

    /// What a configuration asks for.
    static func definitions(_ configuration: MachineConfiguration) throws(MachineError) -> [RegionDefinition] {
        let ram = RAMLayout.ranges(size: configuration.memory.bytes)
        var definitions = try MachineError.wrap(MachineError.backing) { () throws(RegionBackingError) in
            try RegionDefinition.ram(ram)
        }
        for rom in configuration.roms { definitions.append(try RegionDefinition(rom)) }
        return definitions
    }

    deinit {
        // The slots go with the VM. What their logs have still goes to the backings, which may outlive it.
        partition.abandon()
        shared.dirtyRings.detach()
    }

    /// As many address bits as cost the host nothing; a process that may not reserve that much gets by with what its
    /// memory takes.
    private static func makeManager(
        _ physicalAddressBits: Int, _ regions: [RegionDefinition], _ partition: (DirtyLogSink) -> KVMPartition
    ) throws(MachineError) -> (RegionManager, KVMPartition) {
        let last = regions.lazy.map(\.range.last.rawValue).max() ?? 0
        let needed = 64 - last.leadingZeroBitCount
        do throws(RegionManagerError) {
            return try RegionManager.make(
                addressWidth: max(needed, min(usualAddressBits, physicalAddressBits)), regions: regions,
                shownTo: partition)
        } catch .addressSpace {
            return try MachineError.wrap(MachineError.memory) { () throws(RegionManagerError) in
                try RegionManager.make(addressWidth: needed, regions: regions, shownTo: partition)
            }
        } catch {
            throw .memory(error)
        }
    }

    /// 1 TiB.
    private static let usualAddressBits = 40
}

extension RegionDefinition {
    /// RAM: one backing, in as many regions as there are ranges.
    static func ram(_ ranges: [MemoryRange]) throws(RegionBackingError) -> [RegionDefinition] {
        let backing = try RegionBacking(anonymous: "ram", byteCount: ranges.reduce(0) { $0 + $1.count })
        var offset: UInt64 = 0
        return ranges.mapFew { range in
            defer { offset += range.count }
            return RegionDefinition(
                offset == 0 ? "ram" : "high ram", range,
                memory: [Memory(count: range.count, of: backing, backingOffset: offset)], parameters: MapParameters())
        }
    }

    /// ROM with the content of a file, followed by zeros up to the end of the page. It lies over RAM.
    init(_ rom: MachineConfiguration.ROM) throws(MachineError) {
        let image = try MachineError.wrap(MachineError.boot) { () throws(BootError) in try GuestImage(path: rom.path) }
        let page = PageSize.size4K.mask
        let range: MemoryRange
        do throws(MemoryRangeError) {
            range = try MemoryRange(start: rom.address.address, count: (image.count + page) & ~page)
        } catch {
            throw .configuration(key: .roms, "\(rom.path): \(error)")
        }
        let name = image.name
        let backing = try MachineError.wrap(MachineError.backing) { () throws(RegionBackingError) in
            try RegionBacking(memfd: "rom \(name)", byteCount: range.count)
        }
        let mapping = try MachineError.wrap(MachineError.backing) { () throws(RegionBackingError) in
            try backing.mapping()
        }
        try MachineError.wrap(MachineError.boot) { () throws(BootError) in
            try image.read(
                at: 0, into: UnsafeMutableRawBufferPointer(start: mapping.baseAddress, count: Int(image.count)))
        }
        self.init(
            "rom \(name)", range, priority: 1, memory: [Memory(count: range.count, of: backing, isWritable: false)],
            parameters: MapParameters(isWritable: false))
    }
}
