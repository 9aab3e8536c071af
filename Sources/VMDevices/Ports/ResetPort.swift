import Synchronization
import VMState

/// The reset line of a PC's keyboard controller, and nothing else of it: ports 0x60 and 0x64 (Intel 8042).
///
/// Writing 0xfe to port 0x64 resets the machine, as does any other command that pulses output line 0 (0xf0 to 0xfe,
/// even); all other writes are dropped. What a guest that looks for a keyboard reads is chosen so that drivers that
/// drain the controller before they talk to it, as Linux's does, soon give up on it:
/// - The input buffer (status bit 1) is always empty, so a guest that waits for it before it resets goes on at once.
///   All ones would make Linux wait 65536 polls before each reset, and simple kernels for ever.
/// - The output buffer (status bit 0) starts with 64 stale bytes, all 0, and stays empty once they are read. Drivers
///   drain it before they begin. Those that give up after some number of bytes conclude that no controller is there:
///   Linux's i8042 driver stops after 16 and says "No controller found", where an empty buffer would make it wait half
///   a second for the answer to its first command. Those that drain without a limit come to the end; if they then wait
///   for the answer to a command without a limit too, they wait for ever.
///
/// Threads: any; the closure is called on the vCPU thread that wrote.
public final class ResetPort: BytePortDevice {
    /// The controller's data port.
    public static let dataPort: UInt16 = 0x60
    /// The controller's command and status port.
    public static let commandPort: UInt16 = 0x64

    private let onReset: @Sendable () -> Void
    private let staleBytes = Atomic<Int>(64)

    /// Makes the device.
    ///
    /// - Parameter onReset: called when the guest asks for a reset.
    public init(onReset: @escaping @Sendable () -> Void) {
        self.onReset = onReset
    }

    /// What to put on a `PortBus`: the two ports apart, since those between them belong to others.
    public var attachments: [PortBus.Attachment] {
        [
            .init(name: "i8042 data", ports: Self.dataPort...Self.dataPort, device: self),
            .init(name: "i8042 command", ports: Self.commandPort...Self.commandPort, device: self),
        ]
    }

    /// Reads the status, or a stale byte of 0.
    public func readByte(port: UInt16) -> UInt8 {
        if port == Self.commandPort { return staleBytes.load(ordering: .relaxed) > 0 ? 1 : 0 }
        if port == Self.dataPort, staleBytes.load(ordering: .relaxed) > 0 {
            // Two vCPUs may both take the last byte; below 0 is empty as well, and no further reads subtract.
            staleBytes.wrappingSubtract(1, ordering: .relaxed)
        }
        return 0
    }

    /// Takes a command; only those that pulse the reset line do anything.
    public func writeByte(_ value: UInt8, port: UInt16) {
        if port == Self.commandPort, value & 0xf1 == 0xf0 { onReset() }
    }

    // MARK: Saving, while no vCPU runs

    /// How many stale bytes are left.
    public var savedState: some SavedPart { Saved(value: max(0, staleBytes.load(ordering: .relaxed))) }

    /// Checks its record.
    /// - Returns: what gives the device that state, and cannot fail.
    public func restoration(from records: MachineState) throws(StateError) -> () -> Void {
        let saved = try records.part(Saved.self)
        return { [self] in
            staleBytes.store(saved.value, ordering: .relaxed)
        }
    }

    private struct Saved: SavedPart {
        static let kind = "i8042"
        static let version: UInt32 = 1

        var value: Int = 0

        mutating func exchange(with archive: inout StateArchive) throws(StateError) {
            try archive.number("stale bytes", &value, in: 0...64)
        }
    }
}
