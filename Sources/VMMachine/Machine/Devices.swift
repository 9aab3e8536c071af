import VMDevices

/// The devices of a machine and the buses they are on.
final class Devices: Sendable {
    let ports: PortBus
    let mmio: MMIOBus
    let serial: SerialPort
    let post: POSTPort
    let reset: ResetPort
    let powerOff: PowerOffPort
    let firmware: FirmwareConfig
    /// The I/O APIC, where the monitor has it.
    let ioapic: IOAPIC?

    /// What devices ask of the machine they are part of.
    struct Callbacks: Sendable {
        let console: any ConsoleOutput
        let onInputSpace: @Sendable () -> Void
        /// Ends the run.
        let end: @Sendable (RunControl.Ending) -> Void
    }

    /// The interrupt of COM1 on a PC.
    static let serialInterrupt = 4

    init(
        _ configuration: borrowing MachineConfiguration, _ interrupts: InterruptWiring, _ callbacks: Callbacks
    ) throws(BusError) {
        let end = callbacks.end
        ioapic = interrupts.ioapic
        serial = SerialPort(
            console: callbacks.console, interrupt: interrupts.line(Self.serialInterrupt),
            onReceiveSpace: callbacks.onInputSpace)
        post = POSTPort()
        reset = ResetPort { end(.outcome(.reset)) }
        powerOff = PowerOffPort { end(.outcome(.poweredOff)) }
        firmware = FirmwareConfig(
            memorySize: configuration.memory.bytes, processorCount: UInt16(clamping: configuration.cpus))
        let debugExit = DebugExit { end(.outcome(.debugExit(value: $0))) }
        var attachments = [serial.attachment, post.attachment, debugExit.attachment, firmware.attachment]
        attachments += reset.attachments
        attachments += powerOff.attachments
        ports = try PortBus(attachments)
        mmio = try MMIOBus(ioapic.map { [$0.attachment] } ?? [])
    }
}
