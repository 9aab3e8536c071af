import KVM

/// What a partition asks of the kernel. Each call happens, or throws and has changed nothing.
protocol MemorySlotCalls: AnyObject, Sendable {
    /// As `VirtualMachine.addMemorySlot(_:)`.
    func addMemorySlot(_ slot: MemorySlot) throws(KVMError) -> MemorySlotID
    /// As `VirtualMachine.removeMemorySlot(_:)`.
    func removeMemorySlot(_ id: MemorySlotID) throws(KVMError)
    /// As `VirtualMachine.setMemorySlotFlags(_:_:)`.
    func setMemorySlotFlags(_ id: MemorySlotID, _ flags: MemorySlot.Flags) throws(KVMError)
    /// As `VirtualMachine.getDirtyLog(_:into:)`.
    func getDirtyLog(_ id: MemorySlotID, into words: UnsafeMutableBufferPointer<UInt64>) throws(KVMError)
}

extension SharedVM: MemorySlotCalls {
    func addMemorySlot(_ slot: MemorySlot) throws(KVMError) -> MemorySlotID {
        try vm.addMemorySlot(slot)
    }

    func removeMemorySlot(_ id: MemorySlotID) throws(KVMError) {
        try vm.removeMemorySlot(id)
    }

    func setMemorySlotFlags(_ id: MemorySlotID, _ flags: MemorySlot.Flags) throws(KVMError) {
        try vm.setMemorySlotFlags(id, flags)
    }

    func getDirtyLog(_ id: MemorySlotID, into words: UnsafeMutableBufferPointer<UInt64>) throws(KVMError) {
        try vm.getDirtyLog(id, into: words)
    }
}
