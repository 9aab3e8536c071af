import Glibc
import Synchronization
import TestSupport
import Testing
import VMDevices

@Suite("Several vCPUs at once", .timeLimit(.minutes(10)))
struct ConcurrencyTests {
    @Test("No access is lost and no unclaimed access goes uncounted")
    func bus() throws {
        final class Counter: PortDevice {
            let count = Atomic<Int>(0)
            func read(port: UInt16, size: Int) -> UInt32 { 0 }
            func write(_ value: UInt32, port: UInt16, size: Int) { count.wrappingAdd(Int(value), ordering: .relaxed) }
        }
        let counter = Counter()
        let bus = try PortBus([.init(name: "counter", ports: 0x100...0x103, device: counter)])
        try onThreads(4) { thread in
            for _ in 0..<5000 {
                bus.write(1, port: 0x100 + UInt16(thread), size: 1)
                _ = bus.read(port: 0x200 + UInt16(thread), size: 1)
            }
        }
        #expect(counter.count.load(ordering: .relaxed) == 20_000)
        #expect(bus.unclaimedReads == 20_000)
        #expect(bus.unclaimed == (0..<4).map { .init(location: 0x200 + $0, reads: 5000, writes: 0) })
    }

    @Test("Runs of bytes from several vCPUs stay whole on the console")
    func serialRuns() throws {
        let port = try SerialHarness()
        try onThreads(4) { thread in
            let run = [UInt8](repeating: UInt8(thread), count: 50)
            for _ in 0..<200 { run.withUnsafeBytes { port.bus.write(string: $0, port: SerialHarness.base, size: 1) } }
        }
        #expect(port.console.writes.all.count == 800)
        #expect(port.console.writes.all.allSatisfy { $0.count == 50 && Set($0).count == 1 })
    }

    @Test("Bytes each vCPU sends keep their order, whatever the others do to the registers")
    func serialOrder() throws {
        let port = try SerialHarness()
        try onThreads(4) { thread in
            for index in UInt8(0)..<60 {
                if thread == 3 {
                    port.write(index & 0x0f, .interruptEnable)
                    _ = port.read(.identification)
                    _ = port.bus.read(port: SerialHarness.base + 4, size: 4)
                } else {
                    port.write(UInt8(thread) << 6 | index, .data)
                }
            }
        }
        for thread in UInt8(0)..<3 {
            #expect(port.console.bytes.filter { $0 >> 6 == thread }.map { $0 & 0x3f } == Array(0..<60))
        }
    }

    @Test("Input from a host thread reaches the guest whole and in order, by waiting only for room")
    func serialInput() throws {
        let hasRoom = Atomic<Bool>(true)
        let serial = SerialPort(
            console: RecordingConsole(), onReceiveSpace: { hasRoom.store(true, ordering: .sequentiallyConsistent) })
        let bus = try PortBus([serial.attachment])
        bus.outb(0x01, 0x3fa)
        let input = (0..<4000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let received = Log<UInt8>()
        try onThreads(2) { thread in
            if thread == 0 {
                var sent = 0
                while sent < input.count {
                    guard hasRoom.exchange(false, ordering: .sequentiallyConsistent) else {
                        sched_yield()
                        continue
                    }
                    // Until it is refused or fills the FIFO: only then does the port promise to call.
                    while sent < input.count {
                        let accepted = input[sent...].withUnsafeBytes { serial.receive($0) }
                        sent += accepted
                        if accepted == 0 { break }
                    }
                }
            } else {
                var count = 0
                while count < input.count {
                    guard bus.inb(0x3fd) & 0x01 != 0 else {
                        sched_yield()
                        continue
                    }
                    received.append(bus.inb(0x3f8))
                    count += 1
                }
            }
        }
        #expect(received.all == input)
    }

    @Test("The interrupt line ends at the level the registers ask for")
    func serialLine() throws {
        let port = try SerialHarness()
        port.write(0x01, .fifoControl)
        port.write(0x08, .modemControl)
        try onThreads(3) { thread in
            for _ in 0..<2000 {
                switch thread {
                case 0: port.receive([1])
                case 1: _ = port.read(.data)
                default:
                    port.write(0x00, .interruptEnable)
                    port.write(0x01, .interruptEnable)
                }
            }
        }
        #expect(port.line.isAsserted == (port.read(.lineStatus) & 1 == 1))
        _ = port.drain()
        #expect(!port.line.isAsserted)
    }

    @Test("Each level-triggered delivery is followed by exactly one end before the next")
    func ioapicLevels() throws {
        let chip = try IOAPICHarness()
        chip.write(0x31 | IOAPICHarness.level, chip.low(4))
        let ends = Atomic<Int>(0)
        try onThreads(3) { thread in
            let line = chip.ioapic.line(4)
            for _ in 0..<3000 {
                if thread == 2 {
                    if chip.isRemoteIRRSetDirectly {
                        ends.wrappingAdd(1, ordering: .relaxed)
                        chip.ioapic.endOfInterrupt(vector: 0x31)
                    }
                } else {
                    line.setLevel(true)
                    line.setLevel(false)
                }
            }
        }
        let outstanding = chip.isRemoteIRRSet(4) ? 1 : 0
        #expect(chip.messages.all.count == ends.load(ordering: .relaxed) + outstanding)
    }
}

extension IOAPICHarness {
    /// Reads pin 4's entry through IOWIN without selecting it again.
    fileprivate var isRemoteIRRSetDirectly: Bool {
        bus.read(address: 0xfec0_0010, size: 4) & 1 << 14 != 0
    }
}
