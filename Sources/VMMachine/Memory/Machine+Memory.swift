import VMAddressSpace
import VMMemory
import VMRegions

/// The guest's memory. It can be changed while the guest runs, by any thread but those of vCPUs, such as a callback of the
/// machine: those would wait for themselves.
extension Machine {
    /// The guest's memory, as devices reach it.
    public var memory: GuestMemory { guest.memory }

    /// The regions it is made of. The machine's own are called `ram`, `high ram` and `rom` with the file's name.
    public var regions: RegionManager { guest.regions }

    /// The memory slots that show the regions to the guest, and the log of what the guest writes.
    public var partition: KVMPartition { guest.partition }

    /// Adds zeroed RAM. The guest is not told of it.
    /// - Returns: what keeps it: it is removed when the last reference goes.
    /// - Throws: `MachineError.memory`, `MachineError.backing`; nothing has changed then.
    public func addRAM(_ name: String = "added ram", at range: MemoryRange) throws(MachineError) -> RegionHandle {
        let backing = try MachineError.wrap(MachineError.backing) { () throws(RegionBackingError) in
            try RegionBacking(anonymous: name, byteCount: range.count)
        }
        let definition = RegionDefinition(
            name, range, memory: [.init(count: range.count, of: backing)], parameters: MapParameters())
        return try MachineError.wrap(MachineError.memory) { () throws(RegionManagerError) in
            try regions.withTurn { manager throws(RegionManagerError) in try manager.addRegions([definition])[0] }
        }
    }
}
