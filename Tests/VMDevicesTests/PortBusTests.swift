import Testing
import VMDevices

@Suite("Port bus")
struct PortBusTests {
    static func attachment(
        _ name: String, _ ports: ClosedRange<UInt16>, _ device: any PortDevice = RecordingDevice()
    ) -> PortBus.Attachment {
        .init(name: name, ports: ports, device: device)
    }

    @Test("An access reaches the device that claims the port, with the absolute port number")
    func dispatch() throws {
        let low = RecordingDevice(answering: 0x11)
        let high = RecordingDevice(answering: 0x22)
        let bus = try PortBus([Self.attachment("high", 0x3f8...0x3ff, high), Self.attachment("low", 0x20...0x21, low)])
        #expect(bus.read(port: 0x3fa, size: 1) & 0xff == 0x22)
        #expect(bus.read(port: 0x20, size: 2) & 0xffff == 0x1111)
        bus.write(0xabcd, port: 0x3fc, size: 4)
        #expect(high.log.all == [.read(0x3fa, 1), .write(0xabcd, 0x3fc, 4)])
        #expect(low.log.all == [.read(0x20, 2)])
        #expect(bus.unclaimed.isEmpty)
    }

    @Test("Every port finds its own answer, whatever the layout of ranges")
    func everyPort() throws {
        // Ends in the middle of a block of 256 ports, at its end, across several, and at both ends of the space.
        let ranges: [ClosedRange<UInt16>] = [
            0...0, 2...2, 0x60...0xff, 0x100...0x1ff, 0x2f0...0x310, 0x400...0x7ff, 0x801...0xbff, 0xfff0...0xffff,
        ]
        let devices = ranges.indices.map { RecordingDevice(answering: UInt8($0)) }
        let bus = try PortBus(zip(ranges, devices).map { Self.attachment("device", $0, $1) })
        let wrong = (UInt16.min...UInt16.max).filter { port in
            let owner = ranges.firstIndex { $0.contains(port) }
            return bus.inb(port) != owner.map { UInt8($0) } ?? 0xff
        }
        #expect(wrong.count == 0, "the first is \(wrong.first ?? 0)")
    }

    @Test("Hundreds of devices of one port each are told apart")
    func manyDevices() throws {
        let devices = (0..<0x300).map { RecordingDevice(answering: UInt8(truncatingIfNeeded: $0)) }
        let bus = try PortBus(devices.indices.map { Self.attachment("p\($0)", UInt16($0)...UInt16($0), devices[$0]) })
        #expect(bus.read(port: 0x2fe, size: 4) == 0xffff_fffe)
        #expect(bus.read(port: 0x101, size: 2) & 0xffff == 0x0201)
    }

    @Test("Devices in every block of 256 ports are told apart, and go with the bus")
    func everyBlock() throws {
        weak var last: RecordingDevice?
        do {
            let devices = (0..<0x100).map { RecordingDevice(answering: UInt8($0)) }
            last = devices.last
            let bus = try PortBus(
                devices.indices.map { block in
                    let port = UInt16(block << 8 | (block * 7) & 0xff)
                    return Self.attachment("block \(block)", port...port, devices[block])
                })
            let wrong = (UInt16.min...UInt16.max).filter { port in
                let block = Int(port >> 8)
                return bus.inb(port) != (Int(port & 0xff) == (block * 7) & 0xff ? UInt8(block) : 0xff)
            }
            #expect(wrong.count == 0, "the first is \(wrong.first ?? 0)")
        }
        #expect(last == nil)
    }

    @Test("An empty bus claims nothing")
    func emptyBus() throws {
        let bus = try PortBus([])
        #expect(bus.read(port: 0xffff, size: 1) & 0xff == 0xff)
        #expect(bus.read(port: 0, size: 4) == 0xffff_ffff)
    }

    @Test("Two devices that share a port are an error that names both")
    func overlap() {
        let expected = BusError.overlap(
            .init(name: "first", first: 0x100, last: 0x10f), .init(name: "second", first: 0x10f, last: 0x120))
        #expect(throws: expected) {
            try PortBus([Self.attachment("second", 0x10f...0x120), Self.attachment("first", 0x100...0x10f)])
        }
        #expect("\(expected)".contains("\"first\" at 0x100-0x10f"))
        #expect("\(expected)".contains("\"second\" at 0x10f-0x120"))
    }

    @Test("Neighbours that only touch are no overlap")
    func neighbours() throws {
        _ = try PortBus([Self.attachment("a", 0x100...0x10f), Self.attachment("b", 0x110...0x110)])
    }

    @Test("A range of no ports, and one past the last port, are errors")
    func badRanges() {
        let device = RecordingDevice()
        #expect(throws: BusError.emptyRange(name: "none", start: 0x80)) {
            try PortBus.Attachment(name: "none", firstPort: 0x80, count: 0, device: device)
        }
        #expect(throws: BusError.rangeOverflow(name: "far", start: 0xfffc, size: 5)) {
            try PortBus.Attachment(name: "far", firstPort: 0xfffc, count: 5, device: device)
        }
        #expect(throws: BusError.rangeOverflow(name: "huge", start: 1, size: .max)) {
            try PortBus.Attachment(name: "huge", firstPort: 1, count: .max, device: device)
        }
    }

    @Test("The last ports of the space and the whole of it can be claimed")
    func wholeSpace() throws {
        let device = RecordingDevice(answering: 7)
        let last = try PortBus.Attachment(name: "last", firstPort: 0xfffc, count: 4, device: device)
        #expect(last.ports == 0xfffc...0xffff)
        let all = try PortBus.Attachment(name: "all", firstPort: 0, count: 0x1_0000, device: device)
        let bus = try PortBus([all])
        #expect(bus.inb(0xffff) == 7)
        #expect(bus.unclaimedReads == 0)
    }

    @Test("Unclaimed ports read all ones of the access's size", arguments: [(1, 0xff), (2, 0xffff), (4, 0xffff_ffff)])
    func unclaimedReads(size: Int, ones: UInt32) throws {
        let bus = try PortBus([Self.attachment("x", 0x100...0x100)])
        #expect(bus.read(port: 0x200, size: size) == ones)
    }

    @Test("Unclaimed accesses are counted for each port")
    func unclaimedCounts() throws {
        let bus = try PortBus([Self.attachment("x", 0x100...0x100)])
        for _ in 0..<3 { _ = bus.read(port: 0x300, size: 1) }
        bus.write(1, port: 0x80, size: 1)
        bus.write(1, port: 0x300, size: 4)
        #expect(
            bus.unclaimed == [
                .init(location: 0x80, reads: 0, writes: 1), .init(location: 0x300, reads: 3, writes: 1),
            ])
        #expect(bus.unclaimedReads == 3)
        #expect(bus.unclaimedWrites == 2)
    }

    @Test("Only the first 64 distinct unclaimed ports are listed, and the totals count all")
    func unclaimedBound() throws {
        let bus = try PortBus([])
        for port in UInt16(0)..<100 { _ = bus.read(port: port, size: 1) }
        bus.write(0, port: 5, size: 1)
        bus.write(0, port: 99, size: 1)
        #expect(bus.unclaimed.count == 64)
        #expect(bus.unclaimed.map(\.location) == Array(0..<64))
        #expect(bus.unclaimed[5] == .init(location: 5, reads: 1, writes: 1))
        #expect(bus.unclaimedReads == 100)
        #expect(bus.unclaimedWrites == 2)
    }

    @Test("An access across the end of a device is split into bytes")
    func straddle() throws {
        let left = RecordingDevice(answering: 0x11)
        let right = RecordingDevice(answering: 0x22)
        let bus = try PortBus([
            Self.attachment("left", 0x100...0x101, left), Self.attachment("right", 0x102...0x102, right),
        ])
        #expect(bus.read(port: 0x101, size: 4) == 0xffff_2211)
        bus.write(0x4433_2211, port: 0x101, size: 4)
        #expect(left.log.all == [.read(0x101, 1), .write(0x11, 0x101, 1)])
        #expect(right.log.all == [.read(0x102, 1), .write(0x22, 0x102, 1)])
        #expect(bus.unclaimed.map(\.location) == [0x103, 0x104])
    }

    @Test("An access that starts in a hole still reaches the device it runs into")
    func straddleFromHole() throws {
        let device = RecordingDevice(answering: 0x33)
        let bus = try PortBus([Self.attachment("island", 0x101...0x101, device)])
        #expect(bus.read(port: 0x100, size: 4) == 0xffff_33ff)
        #expect(device.log.all == [.read(0x101, 1)])
    }

    @Test("An access past the last port wraps to the first")
    func wrap() throws {
        let device = RecordingDevice(answering: 0x44)
        let bus = try PortBus([Self.attachment("zero", 0...0, device)])
        #expect(bus.read(port: 0xffff, size: 2) & 0xffff == 0x44ff)
        bus.write(0xaabb, port: 0xffff, size: 2)
        #expect(device.log.all == [.read(0, 1), .write(0xaa, 0, 1)])
    }

    @Test("Sizes no processor sends have an answer too", arguments: [-1, 0, 3, 5, Int.max, Int.min])
    func oddSizes(size: Int) throws {
        let bus = try PortBus([Self.attachment("x", 0x100...0x103)])
        for port: UInt16 in [0, 0x100, 0x103, 0xffff] {
            _ = bus.read(port: port, size: size)
            bus.write(.max, port: port, size: size)
            withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
                bus.read(string: buffer, port: port, size: size)
                bus.write(string: UnsafeRawBufferPointer(buffer), port: port, size: size)
            }
        }
    }
}

@Suite("Port bus, string transfers")
struct PortBusStringTests {
    private func read(_ bus: PortBus, bytes: Int, port: UInt16, size: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0xee, count: bytes)
        result.withUnsafeMutableBytes { bus.read(string: $0, port: port, size: size) }
        return result
    }

    private func write(_ bus: PortBus, _ bytes: [UInt8], port: UInt16, size: Int) {
        bytes.withUnsafeBytes { bus.write(string: $0, port: port, size: size) }
    }

    @Test("Elements go to the same port in order, each little-endian")
    func elements() throws {
        let device = RecordingDevice(answering: 0x5a)
        let bus = try PortBus([PortBusTests.attachment("x", 0x1f0...0x1f3, device)])
        write(bus, [1, 2, 3, 4], port: 0x1f0, size: 1)
        write(bus, [1, 2, 3, 4], port: 0x1f0, size: 2)
        write(bus, [1, 2, 3, 4], port: 0x1f0, size: 4)
        #expect(
            device.log.all == [
                .write(1, 0x1f0, 1), .write(2, 0x1f0, 1), .write(3, 0x1f0, 1), .write(4, 0x1f0, 1),
                .write(0x0201, 0x1f0, 2), .write(0x0403, 0x1f0, 2), .write(0x0403_0201, 0x1f0, 4),
            ])
        #expect(read(bus, bytes: 4, port: 0x1f0, size: 2) == [0x5a, 0x5a, 0x5a, 0x5a])
    }

    @Test("Bytes after the last whole element are left alone")
    func remainder() throws {
        let device = RecordingDevice(answering: 0x5a)
        let bus = try PortBus([PortBusTests.attachment("x", 0x1f0...0x1f3, device)])
        #expect(read(bus, bytes: 7, port: 0x1f0, size: 4) == [0x5a, 0x5a, 0x5a, 0x5a, 0xee, 0xee, 0xee])
        write(bus, [1, 2, 3], port: 0x1f0, size: 2)
        #expect(device.log.all == [.read(0x1f0, 4), .write(0x0201, 0x1f0, 2)])
    }

    @Test("Elements that straddle the end of a device are split one by one")
    func straddle() throws {
        let device = RecordingDevice(answering: 0x5a)
        let bus = try PortBus([PortBusTests.attachment("x", 0x1f0...0x1f0, device)])
        #expect(read(bus, bytes: 4, port: 0x1f0, size: 2) == [0x5a, 0xff, 0x5a, 0xff])
        write(bus, [1, 2, 3, 4], port: 0x1f0, size: 2)
        #expect(device.log.all.suffix(2) == [.write(1, 0x1f0, 1), .write(3, 0x1f0, 1)])
        #expect(bus.unclaimed == [.init(location: 0x1f1, reads: 2, writes: 2)])
    }

    @Test("Nobody's port fills the buffer with ones and counts each element")
    func unclaimed() throws {
        let bus = try PortBus([])
        #expect(read(bus, bytes: 6, port: 0x1f0, size: 2) == [UInt8](repeating: 0xff, count: 6))
        #expect(bus.unclaimed == [.init(location: 0x1f0, reads: 3, writes: 0)])
    }
}
