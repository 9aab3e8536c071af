import CKVM
import KVM
import VMAddressSpace
import VMMemory

/// A VM with one region of RAM and one vCPU in real mode at its start, for tests of the KVM module alone.
struct BareVM: ~Copyable {
    let system: KVMSystem
    let vm: VirtualMachine
    let memory: GuestMemory
    let slot: MemorySlotID
    let vcpu: VCPU

    static let size: UInt64 = 0x1_0000

    /// - Parameter code: put at address 0x1000, where the vCPU starts.
    init(code: [UInt8], irqchip: Bool = false) throws {
        let system = try KVMSystem()
        let vm = try system.makeVirtualMachine()
        let memory = try GuestMemory(anonymous: [MemoryRange(start: GuestAddress(0), count: Self.size)])
        let slot = try vm.addMemorySlot(memory.slot())
        if irqchip { try vm.createIRQChip() }
        let vcpu = try vm.makeVCPU(id: 0)
        try memory.write(code, at: GuestAddress(0x1000))
        var special = try vcpu.specialRegisters()
        special.cs.base = 0
        special.cs.selector = 0
        try vcpu.setSpecialRegisters(special)
        var registers = GeneralRegisters()
        registers.rip = 0x1000
        registers.rflags = 2
        try vcpu.setGeneralRegisters(registers)
        self.system = system
        self.vm = vm
        self.memory = memory
        self.slot = slot
        self.vcpu = vcpu
    }
}

extension GuestMemory {
    /// The first region as a memory slot.
    func slot(flags: MemorySlot.Flags = []) -> MemorySlot {
        let region = regionMap.regions[0]
        return MemorySlot(range: region.range, hostAddress: UInt(bitPattern: region.hostAddress), flags: flags)
    }
}
