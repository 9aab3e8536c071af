import Synchronization
import VMState

/// The power-on self-test code port 0x80: remembers the last code and reads it back.
///
/// Guests write progress codes here, and Linux writes to it only for the delay.
///
/// Threads: any, several at once.
public final class POSTPort: BytePortDevice {
    /// The port of a PC's self-test codes.
    public static let standardPort: UInt16 = 0x80

    private let code = Atomic<UInt8>(0)

    /// Makes the device with code 0.
    public init() {}

    /// The last code the guest wrote, 0 at first.
    public var lastCode: UInt8 { code.load(ordering: .relaxed) }

    /// What to put on a `PortBus`.
    public var attachment: PortBus.Attachment {
        .init(name: "POST code", ports: Self.standardPort...Self.standardPort, device: self)
    }

    /// Reads the last code.
    public func readByte(port: UInt16) -> UInt8 {
        lastCode
    }

    /// Remembers a code.
    public func writeByte(_ value: UInt8, port: UInt16) {
        code.store(value, ordering: .relaxed)
    }

    // MARK: Saving, while no vCPU runs

    /// The last code.
    public var savedState: some SavedPart { Saved(value: lastCode) }

    /// Checks its record.
    /// - Returns: what gives the device that state, and cannot fail.
    public func restoration(from records: MachineState) throws(StateError) -> () -> Void {
        let saved = try records.part(Saved.self)
        return { [self] in
            code.store(saved.value, ordering: .relaxed)
        }
    }

    private struct Saved: SavedPart {
        static let kind = "post"
        static let version: UInt32 = 1

        var value: UInt8 = 0

        mutating func exchange(with archive: inout StateArchive) throws(StateError) {
            try archive.number("code", &value)
        }
    }
}
