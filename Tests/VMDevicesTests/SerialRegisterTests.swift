import Testing
import VMDevices

@Suite("Serial port, registers")
struct SerialRegisterTests {
    let port: SerialHarness

    init() throws {
        port = try SerialHarness()
    }

    @Test("After reset the registers read as the data sheet says")
    func reset() {
        #expect(port.read(.data) == 0)
        #expect(port.read(.interruptEnable) == 0)
        #expect(port.read(.identification) == 0x01)
        #expect(port.read(.lineControl) == 0)
        #expect(port.read(.modemControl) == 0)
        #expect(port.read(.lineStatus) == 0x60)
        #expect(port.read(.modemStatus) == 0xb0)
        #expect(port.read(.scratch) == 0)
        #expect(port.line.levels.all.isEmpty)
    }

    @Test("Registers keep only the bits the chip has")
    func writableBits() {
        port.write(0xff, .interruptEnable)
        #expect(port.read(.interruptEnable) == 0x0f)
        port.write(0xff, .modemControl)
        #expect(port.read(.modemControl) == 0x1f)
        port.write(0xa5, .scratch)
        #expect(port.read(.scratch) == 0xa5)
        port.write(0x7f, .lineControl)
        #expect(port.read(.lineControl) == 0x7f)
    }

    @Test("The divisor latch hides data and interrupt enable and keeps its two bytes")
    func divisorLatch() {
        port.write(0x05, .interruptEnable)
        port.write(0x83, .lineControl)
        port.write(0x34, .data)
        port.write(0x12, .interruptEnable)
        #expect(port.read(.data) == 0x34)
        #expect(port.read(.interruptEnable) == 0x12)
        port.write(0x03, .lineControl)
        #expect(port.read(.interruptEnable) == 0x05)
        #expect(port.console.bytes.isEmpty)
    }

    @Test("The divisor latch receives no input and gives none away")
    func divisorLatchLeavesInput() {
        port.receive([0x41])
        port.write(0x80, .lineControl)
        #expect(port.read(.data) == 12)
        port.write(0, .lineControl)
        #expect(port.read(.data) == 0x41)
    }

    @Test("Writes to the status registers change nothing")
    func readOnlyRegisters() {
        port.write(0xff, .lineStatus)
        port.write(0xff, .modemStatus)
        #expect(port.read(.lineStatus) == 0x60)
        #expect(port.read(.modemStatus) == 0xb0)
    }

    @Test("The identification register shows whether FIFOs are on")
    func fifoBits() {
        port.write(0x01, .fifoControl)
        #expect(port.read(.identification) == 0xc1)
        port.write(0xc6, .fifoControl)
        #expect(port.read(.identification) == 0x01)
    }

    @Test("Transmitted bytes reach the console before the store completes")
    func transmit() {
        for byte in "hello".utf8 { port.write(byte, .data) }
        #expect(port.console.text == "hello")
        #expect(port.read(.lineStatus) == 0x60)
    }

    @Test("A run of bytes reaches the console in one piece")
    func transmitRun() {
        let text = Array("a whole line\n".utf8)
        text.withUnsafeBytes { port.bus.write(string: $0, port: SerialHarness.base, size: 1) }
        #expect(port.console.writes.all == [text])
        port.write(0x02, .interruptEnable)
        text.withUnsafeBytes { port.bus.write(string: $0, port: SerialHarness.base, size: 1) }
        #expect(port.console.writes.all == [text, text])
        port.bus.write(string: UnsafeRawBufferPointer(start: nil, count: 0), port: SerialHarness.base, size: 1)
        #expect(port.console.writes.all.count == 2)
    }

    @Test("A run of bytes to another register leaves the last one there")
    func registerRun() {
        [UInt8(1), 2, 3].withUnsafeBytes { port.bus.write(string: $0, port: SerialHarness.base + 7, size: 1) }
        #expect(port.read(.scratch) == 3)
        #expect(port.console.bytes.isEmpty)
    }

    @Test("A run to the divisor latch prints nothing")
    func divisorRun() {
        port.write(0x80, .lineControl)
        [UInt8(1), 2, 3].withUnsafeBytes { port.bus.write(string: $0, port: SerialHarness.base, size: 1) }
        #expect(port.read(.data) == 3)
        #expect(port.console.bytes.isEmpty)
    }

    @Test("A wide access reaches successive registers, low byte first")
    func wideAccess() {
        port.bus.write(0x0141, port: SerialHarness.base, size: 2)
        #expect(port.console.text == "A")
        #expect(port.read(.interruptEnable) == 0x01)
        port.bus.write(0xee00_0003, port: SerialHarness.base + 3, size: 4)
        #expect(port.read(.lineControl) == 0x03)
        #expect(port.bus.read(port: SerialHarness.base + 3, size: 4) == 0xb060_0003)
        #expect(port.bus.read(port: SerialHarness.base + 5, size: 2) & 0xffff == 0xb060)
    }

    @Test("A wide access past the last register reaches only the port's own")
    func wideAccessPastEnd() {
        port.bus.write(0xffff_ff5a, port: SerialHarness.base + 7, size: 4)
        #expect(port.read(.scratch) == 0x5a)
        #expect(port.bus.read(port: SerialHarness.base + 7, size: 4) == 0xffff_ff5a)
        #expect(port.bus.unclaimedWrites == 3)
    }

    @Test("A run of words goes byte by byte to data and interrupt enable")
    func wordRun() {
        [UInt8(0x41), 0x00, 0x42, 0x04].withUnsafeBytes {
            port.bus.write(string: $0, port: SerialHarness.base, size: 2)
        }
        #expect(port.console.text == "AB")
        #expect(port.read(.interruptEnable) == 0x04)
    }

    @Test("A base port too high for eight registers is moved down instead of wrapping")
    func highBase() {
        #expect(SerialPort(basePort: 0xffff, console: port.console).ports == 0xfff8...0xffff)
    }
}

@Suite("Serial port, loopback")
struct SerialLoopbackTests {
    let port: SerialHarness

    init() throws {
        port = try SerialHarness()
        port.write(0x10, .modemControl)
        _ = port.read(.modemStatus)
    }

    @Test("Sent bytes come back and do not reach the console")
    func data() {
        port.write(0xae, .data)
        #expect(port.read(.lineStatus) == 0x61)
        #expect(port.read(.data) == 0xae)
        #expect(port.read(.lineStatus) == 0x60)
        #expect(port.console.bytes.isEmpty)
    }

    @Test(
        "Modem outputs appear at the modem inputs",
        arguments: [
            (0x11, 0x20), (0x12, 0x10), (0x14, 0x40), (0x18, 0x80), (0x1a, 0x90), (0x1f, 0xf0),
        ] as [(UInt8, UInt8)])
    func modemLines(control: UInt8, status: UInt8) {
        port.write(control, .modemControl)
        #expect(port.read(.modemStatus) & 0xf0 == status)
    }

    @Test("Changes of the inputs are reported once, the ring indicator's only when it ends")
    func deltas() {
        port.write(0x1f, .modemControl)
        #expect(port.read(.modemStatus) == 0xfb)
        #expect(port.read(.modemStatus) == 0xf0)
        port.write(0x1b, .modemControl)
        #expect(port.read(.modemStatus) == 0xb4)
        #expect(port.read(.modemStatus) == 0xb0)
    }

    @Test("Seventeen bytes overrun the FIFO, which keeps the first sixteen")
    func overrunWithFIFO() {
        port.write(0x01, .fifoControl)
        for byte in UInt8(0)..<17 { port.write(byte, .data) }
        #expect(port.read(.lineStatus) == 0x63)
        #expect(port.read(.lineStatus) == 0x61)
        #expect(port.drain() == Array(0..<16))
    }

    @Test("Without FIFOs an overrun replaces the byte that was there")
    func overrunWithoutFIFO() {
        port.write(0x01, .data)
        port.write(0x02, .data)
        #expect(port.read(.lineStatus) == 0x63)
        #expect(port.drain() == [0x02])
    }

    @Test("A run of bytes comes back whole")
    func run() {
        port.write(0x01, .fifoControl)
        [UInt8](1...5).withUnsafeBytes { port.bus.write(string: $0, port: SerialHarness.base, size: 1) }
        #expect(port.drain() == [1, 2, 3, 4, 5])
    }

    @Test("The host's input is refused, and asked for again afterwards")
    func hostInput() {
        #expect(port.receive([0x41]) == 0)
        #expect(port.drain().isEmpty)
        #expect(port.spaceCalls.all.count == 0)
        port.write(0x00, .modemControl)
        #expect(port.spaceCalls.all.count == 1)
        #expect(port.receive([0x41]) == 1)
    }

    @Test("The interrupt line is disconnected, and the register still identifies the event")
    func interrupts() {
        port.write(0x18, .modemControl)
        _ = port.read(.modemStatus)
        port.write(0x01, .interruptEnable)
        port.write(0x55, .data)
        #expect(port.read(.identification) == 0x04)
        #expect(!port.line.isAsserted)
        port.write(0x08, .modemControl)
        #expect(port.line.isAsserted)
    }
}
