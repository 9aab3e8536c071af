import Synchronization
import VMDevices

/// A list many threads may append to.
final class Log<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    var all: [Element] { elements.withLock { $0 } }

    func append(_ element: Element) {
        elements.withLock { $0.append(element) }
    }

    func clear() {
        elements.withLock { $0.removeAll() }
    }
}

/// One access as a device saw it.
struct Access: Hashable, Sendable {
    var location: UInt64
    var size: Int
    /// The value written, or nil for a read.
    var value: UInt64?

    static func read(_ location: UInt64, _ size: Int) -> Access {
        Access(location: location, size: size, value: nil)
    }

    static func write(_ value: UInt64, _ location: UInt64, _ size: Int) -> Access {
        Access(location: location, size: size, value: value)
    }
}

/// Records accesses and answers each read with a fixed byte in every place.
final class RecordingDevice: PortDevice, MMIODevice {
    let log = Log<Access>()
    let answer: UInt64

    init(answering byte: UInt8 = 0) {
        answer = UInt64(byte) &* 0x0101_0101_0101_0101
    }

    func read(port: UInt16, size: Int) -> UInt32 {
        log.append(.read(UInt64(port), size))
        return UInt32(truncatingIfNeeded: answer)
    }

    func write(_ value: UInt32, port: UInt16, size: Int) {
        log.append(.write(UInt64(value), UInt64(port), size))
    }

    func read(offset: UInt64, size: Int) -> UInt64 {
        log.append(.read(offset, size))
        return answer
    }

    func write(_ value: UInt64, offset: UInt64, size: Int) {
        log.append(.write(value, offset, size))
    }
}

/// Keeps what the guest printed, one element for each call.
final class RecordingConsole: ConsoleOutput {
    let writes = Log<[UInt8]>()
    var bytes: [UInt8] { writes.all.flatMap { $0 } }
    var text: String { String(decoding: bytes, as: UTF8.self) }

    func write(_ bytes: UnsafeRawBufferPointer) {
        writes.append(Array(bytes))
    }
}

/// Keeps the levels a device drove.
final class RecordingLine: InterruptLine {
    let levels = Log<Bool>()
    var isAsserted: Bool { levels.all.last ?? false }

    func setLevel(_ asserted: Bool) {
        levels.append(asserted)
    }
}

extension PortBus {
    /// Writes a byte, as `outb` does.
    func outb(_ value: UInt8, _ port: UInt16) {
        write(UInt32(value), port: port, size: 1)
    }

    /// Reads a byte, as `inb` does.
    func inb(_ port: UInt16) -> UInt8 {
        UInt8(truncatingIfNeeded: read(port: port, size: 1))
    }
}

/// A serial port at COM1 behind a bus, with its outside world recorded.
struct SerialHarness {
    static let base = SerialPort.com1
    let console = RecordingConsole()
    let line = RecordingLine()
    let spaceCalls = Log<Void>()
    let serial: SerialPort
    let bus: PortBus

    enum Register: UInt16 {
        case data = 0
        case interruptEnable
        case identification
        case lineControl
        case modemControl
        case lineStatus
        case modemStatus
        case scratch
        static let fifoControl = Register.identification
    }

    init() throws {
        serial = SerialPort(
            console: console, interrupt: line, onReceiveSpace: { [spaceCalls] in spaceCalls.append(()) })
        bus = try PortBus([serial.attachment])
    }

    func read(_ register: Register) -> UInt8 {
        bus.inb(Self.base + register.rawValue)
    }

    func write(_ value: UInt8, _ register: Register) {
        bus.outb(value, Self.base + register.rawValue)
    }

    @discardableResult
    func receive(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { serial.receive($0) }
    }

    /// Reads received bytes while there are any, as a driver does.
    func drain() -> [UInt8] {
        var bytes: [UInt8] = []
        while read(.lineStatus) & 0x01 != 0 { bytes.append(read(.data)) }
        return bytes
    }
}
