import KVM
import VMBoot
import VMDevices
import VMHost
import VMRegions
import VMState

extension MachineConfiguration {
    /// What whoever restores a machine says of it; the rest its model says.
    public struct Restoring: Hashable, Sendable {
        /// How the pages that the guest writes can be tracked.
        public var dirtyTracking: DirtyTracking
        /// See `MachineConfiguration.dirtyRingSize`.
        public var dirtyRingSize: Int?
        /// How long the guest may run from then on.
        public var timeout: TimeLimit?
        /// See `MachineConfiguration.symbols`.
        public var symbols: String?
        /// The path of the host's KVM device.
        public var kvmDevice: String

        public init(
            dirtyTracking: DirtyTracking = .auto, dirtyRingSize: Int? = nil, timeout: TimeLimit? = nil,
            symbols: String? = nil, kvmDevice: String = MachineConfiguration.defaultKVMDevice
        ) {
            self.dirtyTracking = dirtyTracking
            self.dirtyRingSize = dirtyRingSize
            self.timeout = timeout
            self.symbols = symbols
            self.kvmDevice = kvmDevice
        }
    }

    init(_ machine: SavedMachine, _ options: Restoring) {
        self.init(
            guest: machine.guest, format: machine.format, symbols: options.symbols,
            memory: ByteSize(bytes: machine.memory), cpus: machine.cpus,
            irqchip: machine.irqchip, pit: machine.pit, dirtyTracking: options.dirtyTracking,
            dirtyRingSize: options.dirtyRingSize, timeout: options.timeout, kvmDevice: options.kvmDevice)
    }
}

extension Machine {
    /// Makes a machine of the model of another (`saveModel()`), perhaps of another host's. It gets its state by `restoreState(_:)`,
    /// and the contents of its memory by `RegionManager.contentsToFill()` or by what its backings have.
    ///
    /// - Parameters:
    ///   - backing: provides what memory comes from, one after another; without contents, `RegionBacking.init(empty:)`.
    /// - Throws: `MachineError`; nothing of the machine is left behind. `hostLacks` names what the host does not have.
    public convenience init(
        restoring model: MachineState, _ options: MachineConfiguration.Restoring = .init(),
        console: any ConsoleOutput, onInputSpace: @escaping @Sendable () -> Void = {},
        backing: (SavedBacking) throws(RegionBackingError) -> RegionBacking = { (saved) throws(RegionBackingError) in
            try RegionBacking(empty: saved)
        }
    ) throws(MachineError) {
        let created = MonotonicTime.now
        let (machine, processors, layout) = try MachineError.wrap(MachineError.state) { () throws(StateError) in
            (
                try model.part(SavedMachine.self), try model.parts(SavedProcessorModel.self),
                try SavedLayout(model)
            )
        }
        guard processors.count == machine.cpus else {
            throw .state(
                StateError(machine.record(), .value(field: "cpus", "is \(machine.cpus), not \(processors.count)")))
        }
        let configuration = MachineConfiguration(machine, options)
        try configuration.validate()
        let symbols = try configuration.openSymbols()
        let system = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in
            try KVMSystem(path: configuration.kvmDevice)
        }
        let supported = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in try system.supportedCPUID() }
        try configuration.validate(on: system, supported)
        let support = try MachineError.wrap(MachineError.kvm) { () throws(KVMError) in try StateSupport(system) }
        try HostCheck(support, supported).check(processors)
        var backings: [RegionBacking] = []
        for saved in layout.backings {
            backings.append(
                try MachineError.wrap(MachineError.backing) { () throws(RegionBackingError) in try backing(saved) })
        }
        let hardware = try MachineHardware(
            configuration, system, processors.map(\.cpuid), try layout.definitions(backings), console: console,
            onInputSpace: onInputSpace)
        for (processor, model) in zip(hardware.processors, processors) {
            try processor.vcpu.setTSC(like: model, support)
        }
        self.init(configuration, machine.format, hardware, symbols: symbols, console: console, created: created)
        stateExtent.withLock { $0.support = support }
    }
}

extension RegionBacking {
    /// Zeroed memory in the place of a backing elsewhere.
    /// - Parameter preallocated: what it is taken from, as far as that goes, where only one mapping can have its pages.
    public convenience init(
        empty saved: SavedBacking, from preallocated: PreallocatedMemory? = nil
    ) throws(RegionBackingError) {
        guard saved.isShareable else {
            try self.init(
                anonymous: saved.name, byteCount: saved.byteCount, transparentHugePages: saved.usesTransparentHugePages,
                from: preallocated)
            return
        }
        try self.init(memfd: saved.name, byteCount: saved.byteCount)
    }
}
