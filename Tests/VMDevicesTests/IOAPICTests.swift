import Testing
import VMDevices

/// An I/O APIC behind a bus, with what it sends recorded.
struct IOAPICHarness {
    let messages = Log<InterruptMessage>()
    let routes = Log<Route>()
    let ioapic: IOAPIC
    let bus: MMIOBus

    struct Route: Equatable, Sendable {
        var pin: Int
        var message: InterruptMessage
    }

    init() throws {
        ioapic = IOAPIC(
            deliver: { [messages] in messages.append($0) },
            onRouteChange: { [routes] in routes.append(Route(pin: $0, message: $1)) })
        bus = try MMIOBus([ioapic.attachment])
    }

    func read(_ register: UInt8) -> UInt32 {
        bus.write(UInt64(register), address: 0xfec0_0000, size: 4)
        return UInt32(truncatingIfNeeded: bus.read(address: 0xfec0_0010, size: 4))
    }

    func write(_ value: UInt32, _ register: UInt8) {
        bus.write(UInt64(register), address: 0xfec0_0000, size: 4)
        bus.write(UInt64(value), address: 0xfec0_0010, size: 4)
    }

    func low(_ pin: Int) -> UInt8 { UInt8(0x10 + 2 * pin) }

    /// Whether the pin waits for an end of interrupt.
    func isRemoteIRRSet(_ pin: Int) -> Bool {
        read(low(pin)) & 1 << 14 != 0
    }

    static let level: UInt32 = 1 << 15
    static let masked: UInt32 = 1 << 16
}

@Suite("I/O APIC, registers")
struct IOAPICRegisterTests {
    let chip: IOAPICHarness

    init() throws {
        chip = try IOAPICHarness()
    }

    @Test("After reset the version is 0x11 with 24 pins, and all of them are masked")
    func reset() {
        #expect(chip.read(0) == 0)
        #expect(chip.read(1) == 0x0017_0011)
        #expect(chip.read(2) == 0)
        for pin in 0..<24 {
            #expect(chip.read(chip.low(pin)) == 0x0001_0000)
            #expect(chip.read(chip.low(pin) + 1) == 0)
        }
    }

    @Test("The ID keeps four bits and shows as the arbitration ID too")
    func identification() {
        chip.write(0xffff_ffff, 0)
        #expect(chip.read(0) == 0x0f00_0000)
        #expect(chip.read(2) == 0x0f00_0000)
        chip.write(0, 1)
        chip.write(0, 2)
        #expect(chip.read(1) == 0x0017_0011)
        #expect(chip.read(2) == 0x0f00_0000)
    }

    @Test("Entries keep their writable bits and leave the read-only ones alone")
    func entryBits() {
        chip.write(0xffff_ffff, chip.low(3))
        chip.write(0xffff_ffff, chip.low(3) + 1)
        #expect(chip.read(chip.low(3)) == 0x0001_afff)
        #expect(chip.read(chip.low(3) + 1) == 0xff00_0000)
    }

    @Test("Registers that do not exist read 0 and take nothing")
    func absentRegisters() {
        for register: UInt8 in [3, 0x0f, 0x40, 0xff] {
            chip.write(0xffff_ffff, register)
            #expect(chip.read(register) == 0)
        }
        chip.bus.write(.max, address: 0xfec0_0020, size: 4)
        #expect(chip.bus.read(address: 0xfec0_0020, size: 4) == 0)
        #expect(chip.bus.read(address: 0xfec0_0ff8, size: 8) == 0)
    }

    @Test("The selector reads back")
    func selector() {
        chip.bus.write(0x31, address: 0xfec0_0000, size: 4)
        #expect(chip.bus.read(address: 0xfec0_0000, size: 4) == 0x31)
    }

    @Test("Narrow accesses reach the bytes they name")
    func narrow() {
        chip.write(0x0001_0030, chip.low(0))
        chip.bus.write(0xff41, address: 0xfec0_0010, size: 1)
        #expect(chip.read(chip.low(0)) == 0x0001_0041)
        chip.bus.write(0x00a0, address: 0xfec0_0011, size: 1)
        #expect(chip.read(chip.low(0)) == 0x0001_a041)
        #expect(chip.bus.read(address: 0xfec0_0011, size: 1) == 0xa0)
        #expect(chip.bus.read(address: 0xfec0_0012, size: 2) == 0x0001)
        chip.bus.write(chip.low(1).asUInt64, address: 0xfec0_0000, size: 1)
        #expect(chip.bus.read(address: 0xfec0_0010, size: 4) == 0x0001_0000)
    }

    @Test("Wide and unaligned accesses count as far as they lie in the register")
    func wide() {
        chip.bus.write(0xffff_ffff_0000_0010, address: 0xfec0_0000, size: 8)
        chip.bus.write(0xffff_ffff_0001_0055, address: 0xfec0_0010, size: 8)
        #expect(chip.bus.read(address: 0xfec0_0010, size: 8) == 0x0001_0055)
        #expect(chip.bus.read(address: 0xfec0_0013, size: 4) == 0)
        chip.bus.write(0xff, address: 0xfec0_0013, size: 8)
        #expect(chip.read(chip.low(0)) == 0x0001_0055)
    }

    @Test("No access traps, whatever its offset, size and value")
    func everyAccess() {
        for offset in UInt64(0)..<0x40 {
            for size in -1...9 {
                for value: UInt64 in [0, 0x3f, .max] {
                    chip.ioapic.write(value, offset: offset, size: size)
                    _ = chip.ioapic.read(offset: offset, size: size)
                }
            }
        }
        _ = chip.ioapic.read(offset: .max, size: 8)
        chip.ioapic.write(.max, offset: .max, size: 8)
    }
}

@Suite("I/O APIC, delivery")
struct IOAPICDeliveryTests {
    let chip: IOAPICHarness

    init() throws {
        chip = try IOAPICHarness()
    }

    @Test("An edge delivers a message once, when the line rises")
    func edge() {
        chip.write(0x31, chip.low(4))
        let line = chip.ioapic.line(4)
        line.setLevel(true)
        line.setLevel(true)
        #expect(chip.messages.all == [.init(address: 0xfee0_0000, data: 0x31)])
        line.setLevel(false)
        #expect(chip.messages.all.count == 1)
        line.setLevel(true)
        #expect(chip.messages.all.count == 2)
        #expect(!chip.isRemoteIRRSet(4))
    }

    @Test("The message carries destination, destination mode, delivery mode, trigger and vector")
    func messageFormat() {
        chip.write(0xab00_0000, chip.low(9) + 1)
        chip.write(0x0000_0941 | IOAPICHarness.level, chip.low(9))
        chip.ioapic.setLevel(pin: 9, asserted: true)
        #expect(chip.messages.all == [.init(address: 0xfeea_b004, data: 0xc141)])
        #expect(chip.isRemoteIRRSet(9))
    }

    @Test("An edge at a masked pin is lost")
    func maskedEdge() {
        chip.write(0x31 | IOAPICHarness.masked, chip.low(4))
        chip.ioapic.setLevel(pin: 4, asserted: true)
        chip.write(0x31, chip.low(4))
        #expect(chip.messages.all.isEmpty)
    }

    @Test("A level at a masked pin is delivered when it is unmasked")
    func maskedLevel() {
        chip.write(0x31 | IOAPICHarness.level | IOAPICHarness.masked, chip.low(4))
        chip.ioapic.setLevel(pin: 4, asserted: true)
        #expect(chip.messages.all.isEmpty)
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        #expect(chip.messages.all.count == 1)
    }

    @Test("A level that went away while masked is not delivered")
    func withdrawnLevel() {
        chip.write(0x31 | IOAPICHarness.level | IOAPICHarness.masked, chip.low(4))
        chip.ioapic.setLevel(pin: 4, asserted: true)
        chip.ioapic.setLevel(pin: 4, asserted: false)
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        #expect(chip.messages.all.isEmpty)
    }

    @Test("A level delivers once until its end of interrupt, and again then if it is still asserted")
    func levelAndEnd() {
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        let line = chip.ioapic.line(4)
        line.setLevel(true)
        line.setLevel(false)
        line.setLevel(true)
        #expect(chip.messages.all.count == 1)
        #expect(chip.isRemoteIRRSet(4))
        chip.ioapic.endOfInterrupt(vector: 0x31)
        #expect(chip.messages.all.count == 2)
        line.setLevel(false)
        chip.ioapic.endOfInterrupt(vector: 0x31)
        #expect(chip.messages.all.count == 2)
        #expect(!chip.isRemoteIRRSet(4))
    }

    @Test("An end of another interrupt changes nothing")
    func otherEnd() {
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        chip.ioapic.setLevel(pin: 4, asserted: true)
        chip.ioapic.endOfInterrupt(vector: 0x32)
        #expect(chip.isRemoteIRRSet(4))
        #expect(chip.messages.all.count == 1)
    }

    @Test("An end of interrupt reaches every pin that delivered the vector")
    func sharedVector() {
        for pin in [5, 6] {
            chip.write(0x40 | IOAPICHarness.level, chip.low(pin))
            chip.ioapic.setLevel(pin: pin, asserted: true)
            chip.ioapic.setLevel(pin: pin, asserted: false)
        }
        chip.ioapic.endOfInterrupt(vector: 0x40)
        #expect(!chip.isRemoteIRRSet(5))
        #expect(!chip.isRemoteIRRSet(6))
    }

    @Test("A pin masked after delivery does not deliver again at the end of interrupt")
    func maskedAtEnd() {
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        chip.ioapic.setLevel(pin: 4, asserted: true)
        chip.write(0x31 | IOAPICHarness.level | IOAPICHarness.masked, chip.low(4))
        chip.ioapic.endOfInterrupt(vector: 0x31)
        #expect(chip.messages.all.count == 1)
        #expect(!chip.isRemoteIRRSet(4))
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        #expect(chip.messages.all.count == 2)
    }

    @Test("Masking and unmasking before the end of interrupt delivers nothing twice")
    func unmaskWhileInService() {
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        chip.ioapic.setLevel(pin: 4, asserted: true)
        chip.write(0x31 | IOAPICHarness.level | IOAPICHarness.masked, chip.low(4))
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        #expect(chip.messages.all.count == 1)
        #expect(chip.isRemoteIRRSet(4))
    }

    @Test("Switching to edge and back ends the interrupt, as Linux does on chips without an EOI register")
    func endBySwitching() {
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        chip.ioapic.setLevel(pin: 4, asserted: true)
        chip.write(0x31 | IOAPICHarness.masked, chip.low(4))
        #expect(!chip.isRemoteIRRSet(4))
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        #expect(chip.messages.all.count == 2)
    }

    @Test("Delivery modes that are always edges never wait for an end", arguments: [2, 4, 5, 7] as [UInt32])
    func edgeOnlyModes(mode: UInt32) {
        chip.write(mode << 8 | IOAPICHarness.level, chip.low(2))
        chip.ioapic.setLevel(pin: 2, asserted: true)
        #expect(chip.messages.all.count == 1)
        #expect(!chip.isRemoteIRRSet(2))
        chip.write(mode << 8 | IOAPICHarness.level, chip.low(2))
        #expect(chip.messages.all.count == 1)
    }

    @Test("Lines that share a pin assert it while any of them is asserted")
    func sharedPin() {
        chip.write(0x31 | IOAPICHarness.level, chip.low(10))
        let (first, second) = (chip.ioapic.line(10), chip.ioapic.line(10))
        first.setLevel(true)
        second.setLevel(true)
        first.setLevel(false)
        chip.ioapic.endOfInterrupt(vector: 0x31)
        #expect(chip.messages.all.count == 2)
        second.setLevel(false)
        chip.ioapic.endOfInterrupt(vector: 0x31)
        #expect(chip.messages.all.count == 2)
    }

    @Test("Pins the chip does not have are ignored", arguments: [-1, 24, Int.max, Int.min])
    func absentPins(pin: Int) {
        chip.ioapic.setLevel(pin: pin, asserted: true)
        chip.ioapic.line(pin).setLevel(true)
        #expect(chip.messages.all.isEmpty)
    }

    @Test("Changes of a pin's message are reported before it is delivered, and masking as no message")
    func routes() {
        chip.write(0x0200_0000, chip.low(4) + 1)
        #expect(chip.routes.all.isEmpty)
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        chip.write(0x0300_0000, chip.low(4) + 1)
        chip.write(0x31 | IOAPICHarness.masked, chip.low(4))
        #expect(
            chip.routes.all == [
                .init(pin: 4, message: .init(address: 0xfee0_2000, data: 0xc031)),
                .init(pin: 4, message: .init(address: 0xfee0_3000, data: 0xc031)),
            ])
        // Masked in the middle of an interrupt and unmasked again, it is still the same route.
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        #expect(chip.routes.all.count == 2)
        chip.write(0x32 | IOAPICHarness.level, chip.low(4))
        #expect(chip.routes.all.last == .init(pin: 4, message: .init(address: 0xfee0_3000, data: 0xc032)))
    }

    @Test("Remote IRR is no change of the route")
    func remoteIRRIsNoRoute() {
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        chip.ioapic.setLevel(pin: 4, asserted: true)
        chip.ioapic.endOfInterrupt(vector: 0x31)
        #expect(chip.routes.all.count == 1)
    }
}

extension UInt8 {
    fileprivate var asUInt64: UInt64 { UInt64(self) }
}
