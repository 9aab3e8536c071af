import KVM
import VMHost
import VMRegions
import VMState

/// What a machine is at one moment, but for the contents of its memory, as records: to be restored in this machine, or in
/// another made from its model.
///
/// Its vCPUs have to stand still: it is paused, or was not started. Threads: any but those of vCPUs, one at a time.
extension Machine {
    /// What it is made of: all that never changes, and the layout of its memory.
    /// - Throws: `notPaused`, `kvm`, `memory`; `unsavable`, where the guest could not be saved now.
    public func saveModel() throws(MachineError) -> MachineState {
        let support = try support()
        try checkSavable(support)
        let msrs = msrs(support)
        var state = MachineState()
        state.append(SavedMachine(configuration, format))
        for processor in processors {
            let frequency = support.hasTSCFrequency ? try? processor.vcpu.tscKilohertz() : nil
            state.append(
                SavedProcessorModel(processor.cpuid, tscKilohertz: frequency ?? 0, msrs: msrs),
                processor.index)
        }
        let (definitions, backings) = try MachineError.wrap(MachineError.memory) { () throws(RegionManagerError) in
            try regions.withTurn { manager throws(RegionManagerError) in
                (manager.definitions, manager.usedBackings)
            }
        }
        SavedLayout(definitions, backings).append(to: &state)
        return state
    }

    /// What its vCPUs, interrupt controllers, clock and devices have.
    /// - Throws: `notPaused`, `kvm`, `unsavable`.
    public func saveState() throws(MachineError) -> MachineState {
        let support = try support()
        try checkSavable(support)
        let msrs = msrs(support)
        var state = MachineState()
        // An interrupt goes from devices through controllers to vCPUs, and timers of the kernel do not pause: in this order it is
        // saved once or twice, and never lost.
        devices.save(into: &state)
        try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            try guest.shared.vm.savePlatform(into: &state, configuration, support)
            for processor in processors {
                try processor.vcpu.save(
                    into: &state, processor.index, support, hasLocalAPIC: configuration.irqchip != .none, msrs)
            }
        }
        return state
    }

    /// Gives it a state that it had, or another machine of the same model. The contents of its memory are the caller's to restore,
    /// before.
    /// - Throws: `notPaused`, `state`; nothing has changed then. `kvm`: some of it may be restored, and it cannot run until a
    ///   call has succeeded.
    public func restoreState(_ state: MachineState) throws(MachineError) {
        let support = try support()
        let hasLocalAPIC = configuration.irqchip != .none
        var vcpus: [RestoredVCPU] = []
        let (platform, restoreDevices) = try MachineError.wrap(MachineError.state) { () throws(StateError) in
            for index in processors.indices {
                vcpus.append(try RestoredVCPU(state, index, hasLocalAPIC: hasLocalAPIC))
            }
            return (try RestoredPlatform(state, configuration), try devices.restoration(from: state))
        }
        try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            // Local APICs are told of interrupts by the other controllers, and have them in their own state.
            try guest.shared.vm.restore(platform, support)
            for (processor, vcpu) in zip(processors, vcpus) { try processor.vcpu.restore(vcpu, support) }
        }
        restoreDevices()
        guard support.hasClockControl else { return }
        for processor in processors { try? processor.vcpu.notifyPaused() }
    }

    /// Whether it could be saved now, so that nobody begins in vain. A guest that runs guests of its own cannot.
    /// - Throws: `unsavable`, `notPaused`, `kvm`.
    public func checkSavable() throws(MachineError) {
        try checkSavable(try support())
    }

    private func checkSavable(_ support: StateSupport) throws(MachineError) {
        for processor in processors {
            let use = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
                try processor.vcpu.nestedUse(support)
            }
            guard let use else { continue }
            throw .unsavable(
                processor: processor.index,
                "it uses nested virtualization, whose state this program does not save (\(use.rawValue))")
        }
    }

    /// - Throws: `notPaused`, `kvm`.
    private func support() throws(MachineError) -> StateSupport {
        guard control.waitUntilQuiescent() else { throw .notPaused }
        return try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            try stateExtent.withLock { (known) throws(KVMError) in
                if let support = known.support { return support }
                let support = try StateSupport(try KVMSystem(path: configuration.kvmDevice))
                known.support = support
                return support
            }
        }
    }

    /// Those that the processors have, all of which are alike. They do not run.
    private func msrs(_ support: StateSupport) -> [UInt32] {
        stateExtent.withLock { known in
            let readable = known.msrs ?? processors[0].vcpu.readableMSRs(support.msrs)
            known.msrs = readable
            return readable
        }
    }
}
