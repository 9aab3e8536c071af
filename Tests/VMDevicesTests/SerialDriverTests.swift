import Testing
import VMDevices

/// What real drivers do to find and use the port, as sequences of their register accesses.
@Suite("Serial port, as drivers use it")
struct SerialDriverTests {
    let port: SerialHarness

    init() throws {
        port = try SerialHarness()
    }

    @Test("Linux's 8250 driver finds a 16550A")
    func linuxAutoconfig() {
        // A chip is there: the enable register keeps four bits and only those.
        let savedEnable = port.read(.interruptEnable)
        port.write(0, .interruptEnable)
        #expect(port.read(.interruptEnable) & 0x0f == 0)
        port.write(0x0f, .interruptEnable)
        #expect(port.read(.interruptEnable) & 0x0f == 0x0f)
        port.write(savedEnable, .interruptEnable)

        // Loopback connects OUT2 to carrier detect and RTS to clear to send.
        let savedControl = port.read(.modemControl)
        let savedLine = port.read(.lineControl)
        port.write(0x1a, .modemControl)
        #expect(port.read(.modemStatus) & 0xf0 == 0x90)
        port.write(savedControl, .modemControl)

        // No enhanced feature register where later chips have one; then the FIFOs work.
        port.write(0xbf, .lineControl)
        port.write(0x00, .fifoControl)
        port.write(0x00, .lineControl)
        port.write(0x01, .fifoControl)
        #expect(port.read(.identification) >> 6 == 3)

        // A register that reads nonzero with the divisor latch open rules out the 16C650.
        port.write(0x80, .lineControl)
        #expect(port.read(.identification) != 0)
        port.write(0xbf, .lineControl)
        #expect(port.read(.identification) != 0)

        // Bank 2 of a National Super I/O would mirror the loopback bit in register 2.
        port.write(0x00, .lineControl)
        let control = port.read(.modemControl)
        port.write(0xe0, .lineControl)
        #expect((port.read(.identification) ^ control) & 0x10 == 0)
        port.write(0x00, .lineControl)
        port.write(control ^ 0x10, .modemControl)
        port.write(0xe0, .lineControl)
        #expect((port.read(.identification) ^ control) & 0x10 == 0)
        port.write(0x00, .lineControl)
        port.write(control, .modemControl)

        // A 64-byte FIFO would show in bit 5, with or without the divisor latch.
        for lineControl: UInt8 in [0x00, 0x80] {
            port.write(lineControl, .lineControl)
            port.write(0x21, .fifoControl)
            #expect(port.read(.identification) >> 5 == 6)
        }
        port.write(0x01, .fifoControl)
        port.write(0x00, .lineControl)

        // Bit 6 of the enable register would be an XScale's.
        port.write(0x40, .interruptEnable)
        #expect(port.read(.interruptEnable) & 0x40 == 0)

        port.write(savedLine, .lineControl)
        port.write(0, .interruptEnable)
        #expect(port.console.bytes.isEmpty)
        #expect(!port.line.isAsserted)
    }

    @Test("Linux's 8250 driver starts up with interrupts and finds the transmitter interrupt trustworthy")
    func linuxStartup() {
        port.write(0x01, .fifoControl)
        port.write(0x07, .fifoControl)
        port.write(0x00, .fifoControl)
        for register: SerialHarness.Register in [.lineStatus, .data, .identification, .modemStatus] {
            _ = port.read(register)
        }
        #expect(port.read(.lineStatus) != 0xff)
        port.write(0x03, .lineControl)

        // The driver sees the event twice; its handler is not there yet, and the line comes back down.
        port.write(0x02, .interruptEnable)
        let first = port.read(.identification)
        port.write(0x00, .interruptEnable)
        port.write(0x02, .interruptEnable)
        let second = port.read(.identification)
        port.write(0x00, .interruptEnable)
        #expect(first & 0x01 == 0)
        #expect(second & 0x01 == 0)
        #expect(!port.line.isAsserted)

        // DTR, RTS, OUT2; then no event waits with the transmitter interrupt off.
        port.write(0x0b, .modemControl)
        port.write(0x02, .interruptEnable)
        #expect(port.read(.lineStatus) & 0x60 == 0x60)
        #expect(port.read(.identification) & 0x01 == 0)
        port.write(0x05, .interruptEnable)
        #expect(!port.line.isAsserted)

        // Set the speed, FIFO trigger 8, and receive a line.
        port.write(0x93, .lineControl)
        port.write(0x01, .data)
        port.write(0x00, .interruptEnable)
        port.write(0x13, .lineControl)
        port.write(0x81, .fifoControl)
        port.receive(Array("ls\n".utf8))
        #expect(port.line.isAsserted)
        #expect(port.read(.identification) == 0xcc)
        #expect(port.drain() == Array("ls\n".utf8))
        #expect(!port.line.isAsserted)
    }

    @Test("Linux's interrupt-driven transmitter sends a buffer in bursts of 16")
    func linuxTransmit() {
        port.write(0x01, .fifoControl)
        port.write(0x0b, .modemControl)
        var pending = Array("The quick brown fox jumps over the lazy dog, twice.\n".utf8)[...]
        let text = String(decoding: pending, as: UTF8.self)
        port.write(0x02, .interruptEnable)
        var interrupts = 0
        while port.line.isAsserted, interrupts < 100 {
            interrupts += 1
            #expect(port.read(.identification) == 0xc2)
            #expect(port.read(.lineStatus) & 0x20 != 0)
            for byte in pending.prefix(16) { port.write(byte, .data) }
            pending = pending.dropFirst(16)
            if pending.isEmpty { port.write(0x00, .interruptEnable) }
        }
        #expect(port.console.text == text)
        #expect(interrupts == 4)
    }

    @Test("kvm-unit-tests sets up and prints by polling")
    func kvmUnitTests() {
        port.write(port.read(.lineControl) | 0x80, .lineControl)
        port.write(0x01, .data)
        port.write(0x00, .interruptEnable)
        port.write(port.read(.lineControl) & ~0x80, .lineControl)
        port.write(0x00, .interruptEnable)
        port.write(0x03, .lineControl)
        port.write(0x00, .fifoControl)
        port.write(0x03, .modemControl)
        for byte in "PASS: all\n".utf8 {
            #expect(port.read(.lineStatus) & 0x20 != 0)
            port.write(byte, .data)
        }
        #expect(port.console.text == "PASS: all\n")
        #expect(port.line.levels.all.isEmpty)
    }
}
