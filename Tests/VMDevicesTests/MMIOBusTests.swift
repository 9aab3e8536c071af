import Testing
import VMDevices

@Suite("MMIO bus")
struct MMIOBusTests {
    private func attachment(
        _ name: String, _ addresses: Range<UInt64>, _ device: any MMIODevice = RecordingDevice()
    ) -> MMIOBus.Attachment {
        .init(name: name, addresses: addresses, device: device)
    }

    @Test("An access reaches the device that claims the address, with the offset in its range")
    func dispatch() throws {
        let low = RecordingDevice(answering: 0x11)
        let high = RecordingDevice(answering: 0x22)
        let bus = try MMIOBus([
            attachment("high", 0xfec0_0000..<0xfec0_1000, high), attachment("low", 0xd000_0000..<0xd000_0200, low),
        ])
        #expect(bus.read(address: 0xd000_01f8, size: 8) == 0x1111_1111_1111_1111)
        bus.write(0x30, address: 0xfec0_0010, size: 4)
        #expect(low.log.all == [.read(0x1f8, 8)])
        #expect(high.log.all == [.write(0x30, 0x10, 4)])
        #expect(bus.unclaimedReads == 0)
    }

    @Test("First and last bytes of each range belong to it and the bytes beside it do not", arguments: 1...9)
    func boundaries(count: Int) throws {
        let devices = (0..<count).map { RecordingDevice(answering: UInt8($0)) }
        let bus = try MMIOBus(
            devices.indices.map { attachment("d\($0)", UInt64($0) << 16..<(UInt64($0) << 16 + 0x100), devices[$0]) })
        for index in 0..<count {
            let base = UInt64(index) << 16
            #expect(bus.read(address: base, size: 1) & 0xff == UInt64(index))
            #expect(bus.read(address: base + 0xff, size: 1) & 0xff == UInt64(index))
            #expect(bus.read(address: base + 0x100, size: 1) & 0xff == 0xff)
            #expect(bus.read(address: base &- 1, size: 1) & 0xff == 0xff)
        }
    }

    @Test("Two devices that share an address are an error that names both")
    func overlap() {
        let expected = BusError.overlap(
            .init(name: "outer", first: 0x1000, last: 0x1fff), .init(name: "inner", first: 0x1800, last: 0x18ff))
        #expect(throws: expected) {
            try MMIOBus([attachment("inner", 0x1800..<0x1900), attachment("outer", 0x1000..<0x2000)])
        }
    }

    @Test("Empty ranges and ranges past the last address are errors")
    func badRanges() {
        let device = RecordingDevice()
        #expect(throws: BusError.emptyRange(name: "none", start: 0x1000)) {
            try MMIOBus([attachment("none", 0x1000..<0x1000)])
        }
        #expect(throws: BusError.emptyRange(name: "none", start: 0x1000)) {
            try MMIOBus.Attachment(name: "none", address: 0x1000, size: 0, device: device)
        }
        #expect(throws: BusError.rangeOverflow(name: "far", start: .max - 0xfff, size: 0x1000)) {
            try MMIOBus.Attachment(name: "far", address: .max - 0xfff, size: 0x1000, device: device)
        }
    }

    @Test("Unclaimed addresses read all ones of the access's size")
    func unclaimedReads() throws {
        let bus = try MMIOBus([])
        for size in 1...8 {
            let expected = size == 8 ? UInt64.max : (1 << UInt64(8 * size)) - 1
            #expect(bus.read(address: 0x9000, size: size) == expected)
        }
    }

    @Test("Unclaimed accesses are counted for each page of 4 KiB, the first 64 apart")
    func unclaimedCounts() throws {
        let bus = try MMIOBus([attachment("x", 0x1000..<0x1010)])
        _ = bus.read(address: 0x1010, size: 4)
        _ = bus.read(address: 0x1ff0, size: 4)
        bus.write(0, address: 0xfee0_0030, size: 4)
        #expect(
            bus.unclaimed == [
                .init(location: 0x1000, reads: 2, writes: 0), .init(location: 0xfee0_0000, reads: 0, writes: 1),
            ])
        for page in UInt64(0)..<100 { bus.write(0, address: 0x10_0000 + page << 12, size: 8) }
        #expect(bus.unclaimed.count == 64)
        #expect(bus.unclaimedReads == 2)
        #expect(bus.unclaimedWrites == 101)
    }

    @Test("An access across the end of a device is split into bytes")
    func straddle() throws {
        let left = RecordingDevice(answering: 0x11)
        let right = RecordingDevice(answering: 0x22)
        let bus = try MMIOBus([attachment("left", 0x1000..<0x1002, left), attachment("right", 0x1003..<0x1004, right)])
        #expect(bus.read(address: 0x1001, size: 4) == 0xff22_ff11)
        bus.write(0x4433_2211, address: 0x0fff, size: 4)
        #expect(left.log.all == [.read(1, 1), .write(0x22, 0, 1), .write(0x33, 1, 1)])
        #expect(right.log.all == [.read(0, 1)])
    }

    @Test("An access past the last address wraps to the first")
    func wrap() throws {
        let device = RecordingDevice(answering: 0x44)
        let bus = try MMIOBus([attachment("zero", 0..<1, device)])
        #expect(bus.read(address: .max, size: 2) & 0xffff == 0x44ff)
    }

    @Test("Sizes no processor sends have an answer too", arguments: [-1, 0, 3, 9, Int.max, Int.min])
    func oddSizes(size: Int) throws {
        let bus = try MMIOBus([attachment("x", 0x1000..<0x1008)])
        for address: UInt64 in [0, 0x1000, 0x1007, .max] {
            _ = bus.read(address: address, size: size)
            bus.write(.max, address: address, size: size)
        }
    }
}
