import Testing
import VMDevices

@Suite("Serial port, interrupts")
struct SerialInterruptTests {
    let port: SerialHarness

    init() throws {
        port = try SerialHarness()
        port.write(0x08, .modemControl)
    }

    @Test("Received data asserts the line until it is read")
    func receivedData() {
        port.write(0x01, .interruptEnable)
        #expect(!port.line.isAsserted)
        port.receive([0x41])
        #expect(port.line.isAsserted)
        #expect(port.read(.identification) == 0x04)
        #expect(port.line.isAsserted)
        #expect(port.read(.data) == 0x41)
        #expect(!port.line.isAsserted)
        #expect(port.line.levels.all == [true, false])
    }

    @Test("OUT2 makes no difference to the line, for kernels that never set it")
    func out2IsNoGate() {
        port.write(0x00, .modemControl)
        port.write(0x01, .interruptEnable)
        port.receive([0x41])
        #expect(port.read(.identification) == 0x04)
        #expect(port.line.isAsserted)
        port.write(0x08, .modemControl)
        #expect(port.line.isAsserted)
        #expect(port.read(.data) == 0x41)
        #expect(!port.line.isAsserted)
    }

    @Test("A disabled event does not assert the line, and enabling it does")
    func enable() {
        port.receive([0x41])
        #expect(!port.line.isAsserted)
        #expect(port.read(.identification) == 0x01)
        port.write(0x01, .interruptEnable)
        #expect(port.line.isAsserted)
        port.write(0x00, .interruptEnable)
        #expect(!port.line.isAsserted)
    }

    @Test("Enabling the transmitter interrupt raises it at once, and reading the identification clears it")
    func transmitterEmptyOnEnable() {
        port.write(0x02, .interruptEnable)
        #expect(port.line.isAsserted)
        #expect(port.read(.identification) == 0x02)
        #expect(!port.line.isAsserted)
        #expect(port.read(.identification) == 0x01)
    }

    @Test("Each byte sent raises the transmitter interrupt again")
    func transmitterEmptyOnSend() {
        port.write(0x02, .interruptEnable)
        _ = port.read(.identification)
        port.write(0x41, .data)
        #expect(port.console.text == "A")
        #expect(port.line.isAsserted)
        #expect(port.read(.identification) == 0x02)
        #expect(!port.line.isAsserted)
    }

    @Test("Sending while the transmitter interrupt waits makes a new edge on the line")
    func transmitterEmptyEdge() {
        port.write(0x02, .interruptEnable)
        port.write(0x41, .data)
        #expect(port.line.levels.all == [true, false, true])
    }

    @Test("The transmitter interrupt is raised only after the console has the byte")
    func transmitterEmptyAfterConsole() throws {
        final class Observer: ConsoleOutput {
            let line = RecordingLine()
            let levelsDuringWrite = Log<Bool>()
            func write(_ bytes: UnsafeRawBufferPointer) { levelsDuringWrite.append(line.isAsserted) }
        }
        let observer = Observer()
        let bus = try PortBus([SerialPort(console: observer, interrupt: observer.line).attachment])
        bus.outb(0x08, 0x3fc)
        bus.outb(0x02, 0x3f9)
        bus.outb(0x41, 0x3f8)
        #expect(observer.levelsDuringWrite.all == [false])
        #expect(observer.line.isAsserted)
    }

    @Test("Disabling and enabling the transmitter interrupt raises it again, as Linux tests for")
    func transmitterEmptyReenable() {
        port.write(0x02, .interruptEnable)
        #expect(port.read(.identification) & 0x0f == 0x02)
        port.write(0x00, .interruptEnable)
        port.write(0x02, .interruptEnable)
        #expect(port.read(.identification) & 0x0f == 0x02)
    }

    @Test("Writing the enable register as it is raises nothing")
    func enableUnchanged() {
        port.write(0x02, .interruptEnable)
        _ = port.read(.identification)
        port.write(0x03, .interruptEnable)
        #expect(port.read(.identification) == 0x01)
    }

    @Test("Reading the identification of a higher event does not clear the transmitter's")
    func identificationClearsOnlyWhatItReports() {
        port.write(0x03, .interruptEnable)
        port.receive([0x41])
        #expect(port.read(.identification) == 0x04)
        _ = port.read(.data)
        #expect(port.line.isAsserted)
        #expect(port.read(.identification) == 0x02)
        #expect(!port.line.isAsserted)
    }

    @Test("Events are identified in order of priority")
    func priorities() {
        // In loopback, so that a guest can cause them all.
        port.write(0x1e, .modemControl)
        port.write(0x0f, .interruptEnable)
        port.write(0x01, .data)
        port.write(0x02, .data)
        #expect(port.read(.identification) == 0x06)
        _ = port.read(.lineStatus)
        #expect(port.read(.identification) == 0x04)
        _ = port.read(.data)
        #expect(port.read(.identification) == 0x02)
        #expect(port.read(.identification) == 0x00)
        _ = port.read(.modemStatus)
        #expect(port.read(.identification) == 0x01)
    }

    @Test("A change of the modem lines asserts the line until the status is read")
    func modemStatus() {
        port.write(0x08, .interruptEnable)
        port.write(0x18, .modemControl)
        port.write(0x08, .modemControl)
        #expect(port.line.isAsserted)
        #expect(port.read(.identification) == 0x00)
        _ = port.read(.modemStatus)
        #expect(!port.line.isAsserted)
    }

    @Test(
        "Below the trigger level the identification is the character timeout, from it on received data",
        arguments: [(0x01, 1), (0x41, 4), (0x81, 8), (0xc1, 14)] as [(UInt8, Int)])
    func triggerLevels(control: UInt8, level: Int) {
        port.write(control, .fifoControl)
        port.write(0x01, .interruptEnable)
        for count in 1...16 {
            port.receive([UInt8(count)])
            #expect(port.line.isAsserted)
            #expect(port.read(.identification) == (count < level ? 0xcc : 0xc4))
        }
        #expect(port.drain() == Array(1...16))
        #expect(port.read(.identification) == 0xc1)
        #expect(!port.line.isAsserted)
    }
}

@Suite("Serial port, input from the host")
struct SerialReceiveTests {
    let port: SerialHarness

    init() throws {
        port = try SerialHarness()
    }

    @Test("Without FIFOs one byte fits")
    func singleByte() {
        #expect(port.receive([1, 2, 3]) == 1)
        #expect(port.receive([2, 3]) == 0)
        #expect(port.drain() == [1])
        #expect(port.receive([2, 3]) == 1)
        #expect(port.drain() == [2])
    }

    @Test("With FIFOs sixteen bytes fit and come out in order, again and again")
    func fifo() {
        port.write(0x01, .fifoControl)
        for round in UInt8(0)..<5 {
            let bytes = (0..<20).map { $0 + round }
            #expect(port.receive(bytes) == 16)
            #expect(port.drain() == Array(bytes.prefix(16)))
        }
        #expect(port.read(.lineStatus) == 0x60)
    }

    @Test("Input and reading may interleave, so that the ring wraps")
    func wrap() {
        port.write(0x01, .fifoControl)
        var next: UInt8 = 0
        var expected: UInt8 = 0
        for _ in 0..<50 {
            let accepted = port.receive([next, next &+ 1, next &+ 2, next &+ 3, next &+ 4])
            next &+= UInt8(accepted)
            for _ in 0..<3 where port.read(.lineStatus) & 1 != 0 {
                #expect(port.read(.data) == expected)
                expected &+= 1
            }
        }
    }

    @Test("Input never overruns")
    func noOverrun() {
        port.write(0x01, .fifoControl)
        port.receive([UInt8](repeating: 0, count: 100))
        #expect(port.read(.lineStatus) == 0x61)
    }

    @Test("The host is told once when the guest has emptied a full FIFO")
    func space() {
        port.write(0x01, .fifoControl)
        #expect(port.receive(Array(0..<16)) == 16)
        for _ in 0..<15 { _ = port.read(.data) }
        #expect(port.spaceCalls.all.count == 0)
        _ = port.read(.data)
        #expect(port.spaceCalls.all.count == 1)
        _ = port.read(.data)
        #expect(port.spaceCalls.all.count == 1)
    }

    @Test("The host is not told when it never had to wait")
    func noSpaceCall() {
        port.write(0x01, .fifoControl)
        port.receive([1, 2, 3])
        _ = port.drain()
        port.receive([])
        #expect(port.spaceCalls.all.count == 0)
    }

    @Test("Clearing the FIFO or switching it makes room as well", arguments: [0x03, 0x00] as [UInt8])
    func spaceByClearing(control: UInt8) {
        port.write(0x01, .fifoControl)
        port.receive(Array(0..<20))
        port.write(control, .fifoControl)
        #expect(port.spaceCalls.all.count == 1)
        #expect(port.read(.lineStatus) == 0x60)
    }

    @Test("Clear bits without the enable bit are not taken")
    func clearNeedsEnable() {
        port.receive([0x41])
        port.write(0x06, .fifoControl)
        #expect(port.drain() == [0x41])
    }

    @Test("The host may offer more from within the call that tells it there is room")
    func reentrantReceive() throws {
        final class Feeder: Sendable {
            let pending = Log<UInt8>()
            nonisolated(unsafe) weak var serial: SerialPort?
        }
        // Set once before any other use, on this thread.
        let feeder = Feeder()
        let serial = SerialPort(
            console: RecordingConsole(),
            onReceiveSpace: { [UInt8(0x42)].withUnsafeBytes { _ = feeder.serial?.receive($0) } })
        feeder.serial = serial
        let bus = try PortBus([serial.attachment])
        _ = [UInt8(0x41)].withUnsafeBytes { serial.receive($0) }
        #expect(bus.inb(0x3f8) == 0x41)
        #expect(bus.inb(0x3f8) == 0x42)
    }
}
