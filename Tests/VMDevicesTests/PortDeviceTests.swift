import Testing
import VMDevices

@Suite("Debug exit")
struct DebugExitTests {
    let codes = Log<UInt32>()
    let bus: PortBus

    init() throws {
        bus = try PortBus([DebugExit { [codes] in codes.append($0) }.attachment])
    }

    @Test("A write reports its value as wide as it is")
    func codesByWidth() {
        bus.write(0xdead_be21, port: 0xf4, size: 1)
        bus.write(0xdead_be21, port: 0xf4, size: 2)
        bus.write(0xdead_be21, port: 0xf4, size: 4)
        bus.outb(0x07, 0xf7)
        #expect(codes.all == [0x21, 0xbe21, 0xdead_be21, 0x07])
    }

    @Test("Reads return 0 and report nothing")
    func reads() {
        #expect(bus.read(port: 0xf4, size: 4) == 0)
        #expect(bus.inb(0xf7) == 0)
        #expect(codes.all.isEmpty)
    }
}

@Suite("Reset port")
struct ResetPortTests {
    let resets = Log<Void>()
    let bus: PortBus

    init() throws {
        bus = try PortBus(ResetPort { [resets] in resets.append(()) }.attachments)
    }

    @Test("Command 0xfe resets, as does every one that pulses line 0", arguments: [0xfe, 0xf0, 0xfc] as [UInt8])
    func reset(command: UInt8) {
        bus.outb(command, 0x64)
        #expect(resets.all.count == 1)
    }

    @Test("No other command resets")
    func otherCommands() {
        for command in UInt8.min...UInt8.max where command & 0xf1 != 0xf0 { bus.outb(command, 0x64) }
        bus.outb(0xfe, 0x60)
        #expect(resets.all.count == 0)
    }

    @Test("The input buffer is always empty, so a guest that waits for it resets at once")
    func inputBuffer() {
        #expect(bus.inb(0x64) & 0x02 == 0)
        bus.outb(0x20, 0x64)
        #expect(bus.inb(0x64) & 0x02 == 0)
    }

    @Test("A driver that gives up draining after 16 bytes finds no controller")
    func boundedDrain() {
        for _ in 0..<16 {
            #expect(bus.inb(0x64) & 0x01 == 1)
            #expect(bus.inb(0x60) == 0)
        }
        #expect(bus.inb(0x64) & 0x01 == 1)
    }

    @Test("A driver that drains without a limit comes to the end, and it stays the end")
    func unboundedDrain() {
        var drained = 0
        while bus.inb(0x64) & 0x01 == 1, drained < 1000 {
            #expect(bus.inb(0x60) == 0)
            drained += 1
        }
        #expect(drained == 64)
        for _ in 0..<200 { #expect(bus.inb(0x60) == 0) }
        #expect(bus.inb(0x64) == 0)
    }

    @Test("Port 0x61 between the two belongs to others")
    func gap() {
        #expect(bus.inb(0x61) == 0xff)
        bus.write(0xfe00_0000, port: 0x61, size: 4)
        #expect(resets.all.count == 1)
    }
}

@Suite("Power-off port")
struct PowerOffPortTests {
    let calls = Log<Void>()
    let bus: PortBus

    init() throws {
        bus = try PortBus(PowerOffPort { [calls] in calls.append(()) }.attachments)
    }

    @Test("Sleep enable with type 0 turns the machine off, at both places", arguments: [0x604, 0xb004] as [UInt16])
    func powerOff(port: UInt16) {
        bus.write(0x2000, port: port, size: 2)
        #expect(calls.all.count == 1)
    }

    @Test("Other sleep types and writes without sleep enable do nothing")
    func others() {
        for type in UInt32(1)...7 { bus.write(0x2000 | type << 10, port: 0x604, size: 2) }
        for value: UInt32 in [0, 1, 0x1c00, 0xdfff] { bus.write(value, port: 0x604, size: 2) }
        #expect(calls.all.count == 0)
    }

    @Test("The register reads back with SCI enabled and sleep enable clear")
    func readBack() {
        #expect(bus.read(port: 0x604, size: 2) & 0xffff == 0x0001)
        bus.write(0x3c02, port: 0x604, size: 2)
        #expect(bus.read(port: 0x604, size: 2) & 0xffff == 0x1c03)
        #expect(bus.read(port: 0xb004, size: 2) & 0xffff == 0x1c03)
        #expect(bus.inb(0x605) == 0x1c)
    }

    @Test("Byte and double-word writes reach the register as well")
    func otherWidths() {
        bus.outb(0x20, 0x605)
        #expect(calls.all.count == 1)
        bus.write(0x0000_2000, port: 0x604, size: 4)
        #expect(calls.all.count == 2)
        bus.outb(0x20, 0x604)
        #expect(calls.all.count == 2)
        #expect(bus.inb(0x604) == 0x21)
    }
}

@Suite("POST code port")
struct POSTPortTests {
    @Test("The last code is remembered and read back")
    func lastCode() throws {
        let post = POSTPort()
        let bus = try PortBus([post.attachment])
        #expect(bus.inb(0x80) == 0)
        bus.outb(0x12, 0x80)
        bus.outb(0xa5, 0x80)
        #expect(post.lastCode == 0xa5)
        #expect(bus.inb(0x80) == 0xa5)
        bus.write(0x0102_0304, port: 0x80, size: 4)
        #expect(post.lastCode == 0x04)
    }
}

@Suite("Firmware configuration")
struct FirmwareConfigTests {
    let bus: PortBus

    init() throws {
        let device = FirmwareConfig(
            memorySize: 0x1_2345_6789, processorCount: 3, items: [.init(rawValue: 0x8003): [9, 8, 7]])
        bus = try PortBus([device.attachment])
    }

    private func item(_ key: UInt16, bytes: Int) -> [UInt8] {
        bus.write(UInt32(key), port: 0x510, size: 2)
        return (0..<bytes).map { _ in bus.inb(0x511) }
    }

    @Test("The signature is there without selecting it")
    func signatureFirst() {
        #expect((0..<4).map { _ in bus.inb(0x511) } == Array("QEMU".utf8))
    }

    @Test("The standard items hold the machine's configuration")
    func standardItems() {
        #expect(item(0x00, bytes: 4) == Array("QEMU".utf8))
        #expect(item(0x01, bytes: 4) == [1, 0, 0, 0])
        #expect(item(0x03, bytes: 8) == [0x89, 0x67, 0x45, 0x23, 1, 0, 0, 0])
        #expect(item(0x05, bytes: 2) == [3, 0])
        #expect(item(0x0f, bytes: 2) == [3, 0])
        #expect(item(0x8003, bytes: 3) == [9, 8, 7])
    }

    @Test("Items that do not exist, and bytes after an item's end, read 0")
    func zeros() {
        #expect(item(0x19, bytes: 4) == [0, 0, 0, 0])
        #expect(item(0x05, bytes: 5) == [3, 0, 0, 0, 0])
    }

    @Test("Selecting an item starts it over")
    func selectAgain() {
        _ = item(0x00, bytes: 2)
        #expect(item(0x00, bytes: 2) == Array("QE".utf8))
    }

    @Test("A string read takes the next bytes")
    func stringRead() {
        bus.write(0, port: 0x510, size: 2)
        var bytes = [UInt8](repeating: 0xee, count: 6)
        bytes.withUnsafeMutableBytes { bus.read(string: $0, port: 0x511, size: 1) }
        #expect(bytes == Array("QEMU".utf8) + [0, 0])
    }

    @Test("Accesses of other widths neither select nor trap")
    func otherWidths() {
        bus.write(5, port: 0x510, size: 2)
        bus.outb(0, 0x510)
        bus.outb(0, 0x511)
        bus.write(0, port: 0x510, size: 4)
        #expect(bus.read(port: 0x510, size: 2) == 0)
        #expect(bus.read(port: 0x511, size: 4) == 0xffff_ff03)
        #expect(bus.inb(0x511) == 0)
    }

    @Test("Items given at creation replace the standard ones")
    func replacedItem() throws {
        let device = FirmwareConfig(memorySize: 0, processorCount: 1, items: [.processorCount: [2, 0]])
        let bus = try PortBus([device.attachment])
        bus.write(5, port: 0x510, size: 2)
        #expect(bus.inb(0x511) == 2)
    }
}
