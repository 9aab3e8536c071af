import KVM
import VMAddressSpace
import VMDirtyTracking

/// What a partition asks of the kernel. Each call happens, or throws and has changed nothing.
protocol MemorySlotCalls: AnyObject, Sendable {
    /// Whether the VM can have slots that are `readOnly`.
    var hasReadOnlyMemory: Bool { get }
    /// How the pages that the guest writes can be logged.
    var dirtyTrackingSupport: DirtyTrackingSupport { get }
    /// As `VirtualMachine.addMemorySlot(_:)`.
    func addMemorySlot(_ slot: MemorySlot) throws(KVMError) -> MemorySlotID
    /// As `VirtualMachine.removeMemorySlot(_:)`.
    func removeMemorySlot(_ id: MemorySlotID) throws(KVMError)
    /// As `VirtualMachine.setMemorySlotFlags(_:_:)`.
    func setMemorySlotFlags(_ id: MemorySlotID, _ flags: MemorySlot.Flags) throws(KVMError)
    /// As `VirtualMachine.setDirtyLogProtection(_:)`.
    func setDirtyLogProtection(_ protection: VirtualMachine.DirtyLogProtection) throws(KVMError)
    /// As `VirtualMachine.getDirtyLog(_:into:)`.
    func getDirtyLog(_ id: MemorySlotID, into words: UnsafeMutableBufferPointer<UInt64>) throws(KVMError)
    /// As `VirtualMachine.clearDirtyLog(_:firstPage:words:)`.
    func clearDirtyLog(_ id: MemorySlotID, firstPage: UInt64, words: UnsafeBufferPointer<UInt64>) throws(KVMError)
    /// As `DirtyRings.drain(_:_:_:)`.
    /// - Parameter vcpu: whose ring; nil for all.
    func drainDirtyRings(of vcpu: Int?, _ body: ([MemoryRange]) -> Void) throws(KVMError)
    /// As `DirtyRings.hasLostPages`.
    var hasLostDirtyPages: Bool { get set }
    /// As `DirtyRings.pageCounts`.
    var dirtyPageCounts: [UInt64]? { get }
}

extension SharedVM: MemorySlotCalls {
    var hasReadOnlyMemory: Bool { vm.has(.readOnlyMemory) }

    var dirtyTrackingSupport: DirtyTrackingSupport { DirtyTrackingSupport(vm) }

    func addMemorySlot(_ slot: MemorySlot) throws(KVMError) -> MemorySlotID {
        try vm.addMemorySlot(slot)
    }

    func removeMemorySlot(_ id: MemorySlotID) throws(KVMError) {
        try vm.removeMemorySlot(id)
    }

    func setMemorySlotFlags(_ id: MemorySlotID, _ flags: MemorySlot.Flags) throws(KVMError) {
        try vm.setMemorySlotFlags(id, flags)
    }

    func setDirtyLogProtection(_ protection: VirtualMachine.DirtyLogProtection) throws(KVMError) {
        try vm.setDirtyLogProtection(protection)
    }

    func getDirtyLog(_ id: MemorySlotID, into words: UnsafeMutableBufferPointer<UInt64>) throws(KVMError) {
        try vm.getDirtyLog(id, into: words)
    }

    func clearDirtyLog(
        _ id: MemorySlotID, firstPage: UInt64, words: UnsafeBufferPointer<UInt64>
    ) throws(KVMError) {
        try vm.clearDirtyLog(id, firstPage: firstPage, words: words)
    }

    func drainDirtyRings(of vcpu: Int?, _ body: ([MemoryRange]) -> Void) throws(KVMError) {
        try dirtyRings.drain(vcpu, vm, body)
    }

    var hasLostDirtyPages: Bool {
        get { dirtyRings.hasLostPages }
        set { dirtyRings.hasLostPages = newValue }
    }

    var dirtyPageCounts: [UInt64]? { dirtyRings.pageCounts }
}
