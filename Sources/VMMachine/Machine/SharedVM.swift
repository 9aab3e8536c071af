import KVM

/// The virtual machine in the kernel, shared by all that call it.
final class SharedVM: Sendable {
    let vm: VirtualMachine
    /// Those of its vCPUs, where it has rings.
    let dirtyRings = DirtyRings()

    /// Where Intel processors without unrestricted guest mode keep the four pages they need for real mode: below the
    /// BIOS, as in other monitors.
    private static let identityMapAddress: UInt64 = 0xfffb_c000
    private static let tssAddress: UInt64 = 0xfffb_d000

    /// Creates the VM. It is cheapest to give it memory next, then its interrupt controllers.
    init(_ system: borrowing KVMSystem) throws(KVMError) {
        vm = try system.makeVirtualMachine()
        if system.has(.setIdentityMapAddress) { try vm.setIdentityMapAddress(Self.identityMapAddress) }
        try vm.setTSSAddress(Self.tssAddress)
    }

    /// Makes it log dirty pages to rings, which the vCPUs made from then on have.
    func enableDirtyRings(_ entryCount: Int, _ system: borrowing KVMSystem) throws(KVMError) {
        try vm.enableDirtyRings(entryCount: entryCount, hasAcquireRelease: system.has(.dirtyRingAcquireRelease))
    }

    /// Creates the interrupt controllers that are to be in the kernel.
    func createInterruptControllers(_ configuration: MachineConfiguration) throws(KVMError) {
        switch configuration.irqchip {
        case .full:
            try vm.createIRQChip()
            if configuration.pit { try vm.createPIT() }
        case .split:
            try vm.createSplitIRQChip(pins: 24)
        case .none:
            break
        }
    }
}
