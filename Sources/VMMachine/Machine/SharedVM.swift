import KVM
import VMAddressSpace
import VMMemory

/// The virtual machine in the kernel together with the memory its slots point at, shared by all that use it: the
/// memory stays mapped for as long as anybody does.
final class SharedVM: Sendable {
    let vm: VirtualMachine
    let memory: GuestMemory
    /// The regions that the slots point at: the map behind `memory` can be replaced.
    private let slotted: RegionMap

    /// Where Intel processors without unrestricted guest mode keep the four pages they need for real mode: below the
    /// BIOS, as in other monitors.
    private static let identityMapAddress: UInt64 = 0xfffb_c000
    private static let tssAddress: UInt64 = 0xfffb_d000

    /// Creates the VM, its memory and its in-kernel interrupt controllers, in the order in which that is cheap.
    init(_ system: borrowing KVMSystem, _ configuration: MachineConfiguration) throws(MachineError) {
        let ranges = RAMLayout.ranges(size: configuration.memory.bytes)
        memory = try MachineError.wrap(MachineError.memory) { () throws(GuestRAMError) in
            try GuestMemory(anonymous: ranges)
        }
        slotted = memory.regionMap
        do throws(KVMError) {
            vm = try system.makeVirtualMachine()
            if system.has(.setIdentityMapAddress) { try vm.setIdentityMapAddress(Self.identityMapAddress) }
            try vm.setTSSAddress(Self.tssAddress)
            for region in slotted.regions {
                guard let host = region.hostAddress else { continue }
                _ = try vm.addMemorySlot(MemorySlot(range: region.range, hostAddress: UInt(bitPattern: host)))
            }
            switch configuration.irqchip {
            case .full:
                try vm.createIRQChip()
                if configuration.pit { try vm.createPIT() }
            case .split:
                try vm.createSplitIRQChip(pins: 24)
            case .none:
                break
            }
        } catch {
            throw .kvm(error)
        }
    }
}
