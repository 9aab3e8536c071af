import CKVM
import SystemPackage
import VMAddressSpace

/// Memory slots: each call either happens in the kernel and in the table, or throws and changes neither. Calls
/// from several threads are taken one after another.
extension VirtualMachine {
    /// Makes `slot.range` RAM (or ROM) of the guest. The memory behind it must stay mapped until the slot is removed.
    /// - Throws: `KVMError.call` with `EEXIST` where it overlaps another slot, `EINVAL` where `hostAddress` is not
    ///   page-aligned, `ENOSPC` where the VM has all the slots it can have.
    public func addMemorySlot(_ slot: MemorySlot) throws(KVMError) -> MemorySlotID {
        try slots.withLock { (table) throws(KVMError) in
            guard let id = table.insert(slot) else {
                throw .call(.setMemorySlot, .noSpace, about: "all \(table.limit) memory slots are in use")
            }
            do throws(KVMError) {
                try setMemoryRegion(id, slot, count: slot.range.count)
            } catch {
                table[id] = nil
                throw error
            }
            return id
        }
    }

    /// Removes a slot; its number can then be given out again. Running vCPUs see the change at once.
    /// - Throws: `KVMError.call` with `ENOENT` where there is no such slot.
    public func removeMemorySlot(_ id: MemorySlotID) throws(KVMError) {
        try change(id) { _ in nil }
    }

    /// Moves a slot to other guest addresses, keeping the memory behind it. The kernel does it in one step.
    /// - Throws: `KVMError.call` with `ENOENT` where there is no such slot, `EEXIST` where another is there, `EINVAL`
    ///   where `address` is not page-aligned or the slot would pass 2^64.
    public func moveMemorySlot(_ id: MemorySlotID, to address: GuestAddress) throws(KVMError) {
        try change(id) { (slot) throws(KVMError) in
            var moved = slot
            do throws(MemoryRangeError) {
                moved.range = try slot.range.moved(to: address)
            } catch {
                throw .call(.setMemorySlot, .invalidArgument, about: "slot \(id.rawValue) to \(address): \(error)")
            }
            return moved
        }
    }

    /// Changes a slot's flags; the kernel allows it for dirty logging.
    public func setMemorySlotFlags(_ id: MemorySlotID, _ flags: MemorySlot.Flags) throws(KVMError) {
        try change(id) { MemorySlot(range: $0.range, hostAddress: $0.hostAddress, flags: flags) }
    }

    /// The slots there are, by ascending number.
    public var memorySlots: [(id: MemorySlotID, slot: MemorySlot)] {
        slots.withLock { table in
            table.slots.enumerated().compactMap { index, slot in
                slot.map { (MemorySlotID(rawValue: UInt32(index)), $0) }
            }
        }
    }

    private func change(
        _ id: MemorySlotID, _ change: (MemorySlot) throws(KVMError) -> MemorySlot?
    ) throws(KVMError) {
        try slots.withLock { (table) throws(KVMError) in
            guard let old = table[id] else {
                throw .call(.setMemorySlot, .noSuchFileOrDirectory, about: "there is no memory slot \(id.rawValue)")
            }
            let new = try change(old)
            try setMemoryRegion(id, new ?? old, count: new?.range.count ?? 0)
            table[id] = new
        }
    }

    private func setMemoryRegion(_ id: MemorySlotID, _ slot: MemorySlot, count: UInt64) throws(KVMError) {
        let region = kvm_userspace_memory_region(
            slot: id.rawValue, flags: slot.flags.rawValue, guest_phys_addr: slot.range.start.rawValue,
            memory_size: count, userspace_addr: UInt64(slot.hostAddress))
        try descriptor.set(
            .setMemorySlot, CKVM_SET_USER_MEMORY_REGION, region, about: "slot \(id.rawValue), \(slot.range)")
    }
}
