import Synchronization
import VMState

/// The ACPI PM1a control register, through which a guest turns the machine off (ACPI specification, section 4.8.3.2.1).
///
/// It answers at port 0x604, where QEMU's machines have it and most test kernels expect it, and at 0xb004, where older
/// QEMU had it: one 16-bit register under two addresses. Writing SLP_EN (bit 13) with SLP_TYP (bits 12:10) 0, that is
/// 0x2000, asks for power-off; sleep types other than 0 do nothing. Otherwise the register remembers what was written;
/// it reads with SCI_EN (bit 0) set, since ACPI mode is always on, and SLP_EN clear, since that bit is write-only. Byte
/// accesses reach its halves.
///
/// Threads: any; the closure is called on the vCPU thread that wrote.
public final class PowerOffPort: PortDevice {
    /// The two ports of the register.
    public static let ports: ClosedRange<UInt16> = 0x604...0x605
    /// Where it answers too.
    public static let oldPorts: ClosedRange<UInt16> = 0xb004...0xb005

    private static let sleepEnable: UInt16 = 1 << 13
    private static let sleepType: UInt16 = 7 << 10
    private static let sciEnable: UInt16 = 1 << 0

    private let onPowerOff: @Sendable () -> Void
    private let register = Mutex<UInt16>(0)

    /// Makes the device.
    ///
    /// - Parameter onPowerOff: called when the guest asks for power-off.
    public init(onPowerOff: @escaping @Sendable () -> Void) {
        self.onPowerOff = onPowerOff
    }

    /// What to put on a `PortBus`.
    public var attachments: [PortBus.Attachment] {
        [
            .init(name: "PM1a control", ports: Self.ports, device: self),
            .init(name: "PM1a control", ports: Self.oldPorts, device: self),
        ]
    }

    /// Reads the register, or from the odd port its high byte.
    public func read(port: UInt16, size: Int) -> UInt32 {
        let value = register.withLock { $0 } | Self.sciEnable
        return UInt32(value >> Self.shift(port))
    }

    /// Writes the register, or the byte of it that the access names.
    public func write(_ value: UInt32, port: UInt16, size: Int) {
        let mask: UInt16 = (size >= 2 ? 0xffff : 0x00ff) << Self.shift(port)
        let bits = UInt16(truncatingIfNeeded: value) << Self.shift(port) & mask
        let written = register.withLock { register in
            let written = register & ~mask | bits
            register = written & ~Self.sleepEnable
            return written
        }
        if written & (Self.sleepEnable | Self.sleepType) == Self.sleepEnable { onPowerOff() }
    }

    /// By how many bits the byte at `port` is into the register.
    private static func shift(_ port: UInt16) -> UInt16 {
        8 * (port & 1)
    }

    // MARK: Saving, while no vCPU runs

    /// What the register has.
    public var savedState: some SavedPart { Saved(value: register.withLock(\.self)) }

    /// Checks its record.
    /// - Returns: what gives the device that state, and cannot fail.
    public func restoration(from records: MachineState) throws(StateError) -> () -> Void {
        let saved = try records.part(Saved.self)
        return { [self] in
            register.withLock { $0 = saved.value }
        }
    }

    private struct Saved: SavedPart {
        static let kind = "pm1a"
        static let version: UInt32 = 1

        var value: UInt16 = 0

        mutating func exchange(with archive: inout StateArchive) throws(StateError) {
            try archive.number("control", &value)
        }
    }
}
