import KVM
import VMDevices

/// How devices' interrupts reach the CPUs, for each place the interrupt controllers can be in.
final class InterruptWiring: Sendable {
    private let mode: MachineConfiguration.IRQChip
    private let vm: SharedVM
    let ioapic: IOAPIC?

    init(_ mode: MachineConfiguration.IRQChip, _ vm: SharedVM) {
        self.mode = mode
        self.vm = vm
        guard mode == .split else {
            ioapic = nil
            return
        }
        let routes = InterruptRoutes(vm)
        ioapic = IOAPIC(
            deliver: { message in
                // A guest can compose messages that no local APIC takes; those are lost, as on a real bus.
                _ = try? vm.vm.signalMSI(address: message.address, data: message.data)
            },
            onRouteChange: { pin, message in routes.set(pin: pin, message) })
    }

    func line(_ pin: Int) -> any InterruptLine {
        switch mode {
        case .full: KernelLine(vm, gsi: UInt32(pin))
        case .split: ioapic?.line(pin) ?? DisconnectedLine()
        case .none: DisconnectedLine()
        }
    }
}

/// An input of the in-kernel interrupt controllers.
private final class KernelLine: InterruptLine {
    private let vm: SharedVM
    private let gsi: UInt32

    init(_ vm: SharedVM, gsi: UInt32) {
        self.vm = vm
        self.gsi = gsi
    }

    func setLevel(_ asserted: Bool) {
        // With an in-kernel irqchip and a GSI below 16 the call has no way to fail.
        try? vm.vm.setIRQLine(gsi, level: asserted)
    }
}
