import KVM
import VMState

/// The interrupt controllers, timer and clock that the kernel has for a VM.
struct RestoredPlatform {
    let irqchips: [SavedIRQChip]
    let pit: SavedPIT?
    let clock: SavedClock?

    init(_ state: MachineState, _ configuration: MachineConfiguration) throws(StateError) {
        var irqchips: [SavedIRQChip] = []
        if configuration.irqchip == .full {
            for chip in IRQChip.allCases { irqchips.append(try state.part(SavedIRQChip.self, Int(chip.rawValue))) }
        }
        self.irqchips = irqchips
        pit = configuration.pit ? try state.part(SavedPIT.self) : nil
        clock = try state.partIfPresent(SavedClock.self)
    }
}

extension VirtualMachine {
    /// Adds what the kernel has for the VM beside its vCPUs.
    borrowing func savePlatform(
        into state: inout MachineState, _ configuration: MachineConfiguration, _ support: StateSupport
    ) throws(KVMError) {
        if configuration.irqchip == .full {
            for chip in IRQChip.allCases {
                var saved = SavedIRQChip()
                saved.state = try irqchip(chip)
                state.append(saved, Int(chip.rawValue))
            }
        }
        if configuration.pit {
            var saved = SavedPIT()
            saved.state = try pit()
            state.append(saved)
        }
        if support.hasClock {
            var saved = SavedClock()
            saved.nanoseconds = try clock().clock
            state.append(saved)
        }
    }

    borrowing func restore(_ saved: RestoredPlatform, _ support: StateSupport) throws(KVMError) {
        for (chip, state) in zip(IRQChip.allCases, saved.irqchips) { try setIRQChip(chip, state.state) }
        if let pit = saved.pit { try setPIT(pit.state) }
        if let clock = saved.clock, support.hasClock {
            // It goes on from where it was, as the guest did not run meanwhile.
            var value = VMClock()
            value.clock = clock.nanoseconds
            try setClock(value)
        }
    }
}
