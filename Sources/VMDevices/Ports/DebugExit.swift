/// Lets a guest end its run with a code: QEMU's `isa-debug-exit` at four ports (QEMU, hw/misc/debugexit.c).
///
/// QEMU leaves the process with `code << 1 | 1`; here the raw code goes to the closure, which decides. A write at any of
/// the four ports counts, with the value as wide as the access. Reads return 0.
///
/// Threads: any; the closure is called on the vCPU thread that wrote, once for each write.
public final class DebugExit: PortDevice {
    /// The first port that kvm-unit-tests and most test kernels expect.
    public static let standardPort: UInt16 = 0xf4

    /// The four ports.
    public let ports: ClosedRange<UInt16>
    private let onExit: @Sendable (UInt32) -> Void

    /// Makes the device.
    ///
    /// - Parameters:
    ///   - basePort: the first of the four ports, at most 0xfffc.
    ///   - onExit: called with the code the guest wrote.
    public init(basePort: UInt16 = DebugExit.standardPort, onExit: @escaping @Sendable (UInt32) -> Void) {
        let first = min(basePort, 0xfffc)
        self.ports = first...(first + 3)
        self.onExit = onExit
    }

    /// What to put on a `PortBus`.
    public var attachment: PortBus.Attachment {
        .init(name: "debug exit", ports: ports, device: self)
    }

    /// Reads 0.
    public func read(port: UInt16, size: Int) -> UInt32 {
        0
    }

    /// Reports the value as the exit code.
    public func write(_ value: UInt32, port: UInt16, size: Int) {
        let mask = size >= 4 ? UInt32.max : (1 &<< UInt32(8 * max(size, 0))) &- 1
        onExit(value & mask)
    }
}
