import KVM
import VMAddressSpace
import VMBoot
import VMDirtyTracking

extension MachineConfiguration {
    /// The most CPUs whatever the host offers: APIC ids are a byte wide in everything a guest sees here, 255 means all of
    /// them, and 254 is the highest that a count in a byte leaves.
    private static let largestCPUCount = 254

    /// The most CPUs a guest can have on this host.
    public static func largestCPUCount(on system: borrowing KVMSystem) -> Int {
        min(system.maximumVCPUs, largestCPUCount)
    }

    /// Whether the host can have the interrupt controllers there.
    public static func isAvailable(_ irqchip: IRQChip, on system: borrowing KVMSystem) -> Bool {
        missingCapability(irqchip, on: system) == nil
    }

    private static func missingCapability(_ irqchip: IRQChip, on system: borrowing KVMSystem) -> Capability? {
        switch irqchip {
        case .full: system.has(.irqchip) ? nil : .irqchip
        case .split: [.splitIRQChip, .signalMSI, .interruptRouting].first { !system.has($0) }
        case .none: nil
        }
    }

    /// Checks what can be known without the host's KVM.
    /// - Throws: `MachineError.configuration`.
    func validate() throws(MachineError) {
        guard memory.bytes > 0 else {
            throw .configuration(key: .memory, "a guest needs memory; give it some, say 64M")
        }
        guard !guest.isEmpty else { throw .configuration(key: .guest, "is missing; name what to boot") }
        guard memory.bytes.isMultiple(of: PageSize.size4K.bytes) else {
            guard memory.bytes >= 1 << 20 else {
                throw .configuration(
                    key: .memory,
                    "\(memory.bytes) bytes are no whole number of \(PageSize.size4K.bytes)-byte pages; did you mean \(memory.bytes)M?"
                )
            }
            throw .configuration(
                key: .memory, "\(memory.bytes) bytes are no whole number of \(PageSize.size4K.bytes)-byte pages")
        }
        guard cpus >= 1 else { throw .configuration(key: .cpus, "a guest needs at least 1 CPU") }
        guard irqchip != .none || cpus == 1 else {
            throw .configuration(
                key: .irqchip, "without local APICs a second CPU cannot be started; use 1 CPU, or another irqchip")
        }
        guard !pit || irqchip == .full else {
            throw .configuration(key: .pit, "the timer in the kernel needs the irqchip there too (full)")
        }
        try validateDirtyRing()
    }

    /// - Returns: the file of symbols, where one is named.
    /// - Throws: `MachineError.boot`, also for a file without symbols.
    func openSymbols() throws(MachineError) -> GuestImage? {
        guard let symbols else { return nil }
        return try MachineError.wrap(MachineError.boot) { () throws(BootError) in
            let file = try GuestImage(path: symbols)
            guard SymbolTable(file) != nil else {
                throw BootError(
                    .badImage, symbols, "has no symbols of code; name an ELF file that was linked without -s")
            }
            return file
        }
    }

    /// Checks the rest against what the host can do.
    /// - Throws: `MachineError.configuration`, or what asking the host throws.
    func validate(on system: borrowing KVMSystem, _ cpuid: [CPUIDEntry]) throws(MachineError) {
        let most = Self.largestCPUCount(on: system)
        guard cpus <= most else {
            throw .configuration(key: .cpus, "\(cpus) are more than the \(most) that a guest can have on this host")
        }
        let bits = cpuid.physicalAddressBits
        let largest = RAMLayout.largestSize(physicalAddressBits: bits)
        guard memory.bytes <= largest else {
            throw .configuration(
                key: .memory,
                "\(memory) is more than the \(largest >> 30)G that a guest can have on this host (\(bits) bits of physical "
                    + "addresses, 2^31 pages in a memory slot)")
        }
        if let needed = Self.missingCapability(irqchip, on: system) {
            throw .configuration(
                key: .irqchip, "the host's KVM lacks \(needed); use another irqchip (none always works)")
        }
        guard !pit || system.has(.pit) else {
            throw .configuration(key: .pit, "the host's KVM lacks \(Capability.pit)")
        }
        try validateDirtyTracking(on: system)
    }
}
