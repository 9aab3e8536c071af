import Synchronization

/// A 16550A serial port at eight successive I/O ports (PC16550D data sheet).
///
/// What a guest sees: all registers, the divisor latch, loopback with its modem lines, a 16-byte receive FIFO with
/// trigger levels (one byte with FIFOs off), overruns, and an interrupt line that follows the enabled events, whatever
/// OUT2 says (a PC gates the line by it; guests rely on monitors not to). What differs from the chip, because nothing
/// here takes time:
/// - The transmitter is empty again when the guest's store completes, so there is no transmit FIFO to fill.
/// - Bytes below the trigger level raise the character timeout at once instead of four character times later.
/// - Baud rate, word length, parity and breaks are remembered and ignored; there are no parity or framing errors.
///
/// Input from the host never overruns, since `receive(_:)` takes only what fits; a guest sees overruns in loopback.
///
/// Order of output: bytes go to the console outside the lock, so that a slow console does not stop other vCPUs from
/// using the port. Yet nothing can overtake: a guest's store completes only after the console has the byte, so a store
/// that the guest orders after it comes later here too; and the transmitter-empty interrupt, by which the port itself
/// invites the next store, is raised only after the console has the byte. The order of stores the guest does not order
/// is open on a real port as well.
///
/// Threads: any, several at once.
public final class SerialPort: BytePortDevice {
    /// The first port of COM1, interrupt 4 on a PC.
    public static let com1: UInt16 = 0x3f8
    /// The first port of COM2, interrupt 3 on a PC.
    public static let com2: UInt16 = 0x2f8

    /// The eight ports.
    public let ports: ClosedRange<UInt16>

    private let console: any ConsoleOutput
    let interrupt: any InterruptLine
    let onReceiveSpace: (@Sendable () -> Void)?
    let state = Mutex(SerialState())
    /// What a guest that prints by polling needs, readable without the lock: LSR in the low byte, and above it whether
    /// `SerialState.transmitsDirectly`. It changes only under the lock, so it is never older than the guest's last
    /// ordered access.
    let published: Atomic<UInt16>
    private static let transmitsDirectly: UInt16 = 1 << 8
    private static let lineStatusOffset: UInt16 = 5

    /// Makes a port as it is after reset: FIFOs off, interrupts off, idle.
    ///
    /// - Parameters:
    ///   - basePort: the first of the eight ports, at most 0xfff8.
    ///   - console: where transmitted bytes go.
    ///   - interrupt: the interrupt line; called with the port's lock held.
    ///   - onReceiveSpace: called on a vCPU thread, without the lock, once the guest has emptied the receive side after
    ///     `receive(_:)` filled it or refused input. The call may come before that `receive(_:)` has returned, so let
    ///     it set something that stays set, such as a semaphore or an event counter.
    public init(
        basePort: UInt16 = SerialPort.com1,
        console: any ConsoleOutput,
        interrupt: any InterruptLine = DisconnectedLine(),
        onReceiveSpace: (@Sendable () -> Void)? = nil
    ) {
        let first = min(basePort, 0xfff8)
        self.ports = first...(first + 7)
        self.published = Atomic(Self.publication(of: SerialState()))
        self.console = console
        self.interrupt = interrupt
        self.onReceiveSpace = onReceiveSpace
    }

    /// What to put on a `PortBus`.
    public var attachment: PortBus.Attachment {
        .init(name: "serial port", ports: ports, device: self)
    }

    /// Offers input to the guest.
    ///
    /// If less than everything fits, or what came in filled the receive side, `onReceiveSpace` is called when the guest
    /// has emptied it: offer the rest then. In loopback the receiver is disconnected and takes nothing.
    ///
    /// - Parameter bytes: the input; valid only during the call.
    /// - Returns: how many bytes were taken, from the start.
    /// - Threads: any; meant for one input thread, since concurrent callers' bytes may interleave.
    public func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        withState { $0.receive(bytes) }
    }

    /// Reads a register.
    public func readByte(port: UInt16) -> UInt8 {
        let offset = (port &- ports.lowerBound) & 7
        if offset == Self.lineStatusOffset {
            // Reading LSR changes the state only if there is an overrun to clear.
            let status = LineStatus(rawValue: UInt8(truncatingIfNeeded: published.load(ordering: .acquiring)))
            if !status.contains(.overrun) { return status.rawValue }
        }
        return readRegister(offset: offset)
    }

    /// Writes a register; a byte to transmit has reached the console when this returns.
    public func writeByte(_ value: UInt8, port: UInt16) {
        let offset = (port &- ports.lowerBound) & 7
        guard offset == 0 else { return writeRegister(value, offset: offset) }
        withUnsafeBytes(of: value) { writeData($0) }
    }

    /// Writes a run of elements; a run of bytes to transmit reaches the console in one piece.
    public func writeString(_ bytes: UnsafeRawBufferPointer, port: UInt16, size: Int) {
        if size == 1, (port &- ports.lowerBound) & 7 == 0 {
            writeData(bytes)
        } else {
            forEachElement(of: bytes.count, size: size) { offset in
                write(loadElement(from: bytes, at: offset, size: size), port: port, size: size)
            }
        }
    }

    /// Writes bytes to offset 0: the console, the loopback or the divisor latch.
    @inline(__always)
    private func writeData(_ bytes: UnsafeRawBufferPointer) {
        guard published.load(ordering: .acquiring) & Self.transmitsDirectly != 0 else {
            return writeDataWithState(bytes)
        }
        if !bytes.isEmpty { console.write(bytes) }
    }

    /// The same where the registers decide or change. Apart, so that the way above stays short.
    @inline(never)
    private func writeDataWithState(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        let target = withState { state in
            let target = state.transmitTarget
            switch target {
            case .console: state.beginTransmit()
            case .loopback: for byte in bytes { state.loopBack(byte) }
            case .divisorLatch: for byte in bytes { state.write(byte, offset: 0) }
            }
            return target
        }
        if case .console = target {
            console.write(bytes)
            withState { $0.endTransmit() }
        }
    }

    @inline(never)
    private func writeRegister(_ value: UInt8, offset: UInt16) {
        withState { $0.write(value, offset: offset) }
    }

    @inline(never)
    private func readRegister(offset: UInt16) -> UInt8 {
        withState { $0.read(offset: offset) }
    }

    /// Changes the registers under the lock and lets the outside world know what follows from that.
    @inline(__always)
    private func withState<Result>(_ body: (inout SerialState) -> Result) -> Result {
        var hasSpace = false
        let result = state.withLock { state in
            let result = body(&state)
            // Before the interrupt, whose handler may look at LSR at once.
            published.store(Self.publication(of: state), ordering: .releasing)
            // Under the lock: two levels that overtook each other would leave the line at the wrong one.
            if let level = state.takeLevelChange() { interrupt.setLevel(level) }
            hasSpace = state.takeReceiveSpace()
            return result
        }
        if hasSpace { onReceiveSpace?() }
        return result
    }

    static func publication(of state: borrowing SerialState) -> UInt16 {
        UInt16(state.lineStatus.rawValue) | (state.transmitsDirectly ? transmitsDirectly : 0)
    }
}
