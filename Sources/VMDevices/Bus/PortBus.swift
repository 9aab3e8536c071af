/// Carries a guest's port accesses to devices.
///
/// The map is fixed at creation, so dispatch takes no lock. It is a two-level table, like a page table: the port's high
/// byte selects a leaf, its low byte an entry in that leaf. That costs the same few instructions and no mispredicted
/// branch for any number of devices, which a search does not, and the table stays small because high bytes whose ports
/// all have the same answer share one leaf. Holes are runs as well, with a device behind them that counts.
///
/// An access that reaches past the end of a device's range (or of a hole) is split into bytes and each is dispatched on
/// its own, as the ISA bus does; past port 0xffff it wraps to port 0.
///
/// Threads: any, several at once.
public final class PortBus: @unchecked Sendable {
    // SAFETY: everything is constant from the end of `init` on. Leaves and runs are allocated there and freed by `deinit`; they
    // are no arrays, whose checks each access would pay for. `directory` has numbers of leaves alone, and leaves numbers of runs
    // alone: `makeLeaves` puts no others there, and fills each leaf that it gives a number to.

    /// A device and the ports it answers at.
    public struct Attachment: Sendable {
        /// What errors and reports call the device.
        public var name: String
        /// The ports, both ends included.
        public var ports: ClosedRange<UInt16>
        /// The device; one device may be attached at several ranges.
        public var device: any PortDevice

        /// Attaches a device at a closed range of ports.
        public init(name: String, ports: ClosedRange<UInt16>, device: any PortDevice) {
            self.name = name
            self.ports = ports
            self.device = device
        }

        /// Attaches a device at `count` ports from `firstPort`.
        ///
        /// - Throws: `BusError.emptyRange` if `count` is 0, `BusError.rangeOverflow` if it reaches past port 0xffff.
        public init(
            name: String, firstPort: UInt16, count: UInt64, device: any PortDevice
        ) throws(BusError) {
            guard count > 0 else { throw .emptyRange(name: name, start: UInt64(firstPort)) }
            guard count <= 0x1_0000 - UInt64(firstPort) else {
                throw .rangeOverflow(name: name, start: UInt64(firstPort), size: count)
            }
            let last = UInt16(truncatingIfNeeded: UInt64(firstPort) + count - 1)
            self.init(name: name, ports: firstPort...last, device: device)
        }

        fileprivate var occupant: BusError.Occupant {
            .init(name: name, first: UInt64(ports.lowerBound), last: UInt64(ports.upperBound))
        }
    }

    /// A device as it is called. A class, so that a call through it borrows the device instead of retaining it: the
    /// device is a constant of an object the bus keeps alive.
    @usableFromInline
    final class Target: Sendable {
        @usableFromInline let device: any PortDevice

        init(_ device: any PortDevice) {
            self.device = device
        }
    }

    /// A run of ports with one answer.
    @usableFromInline
    struct Run: Sendable {
        /// Unmanaged, because an array of references would be retained around each call.
        @usableFromInline let target: Unmanaged<Target>
        /// The last port of the run.
        @usableFromInline let last: UInt16
    }

    /// What the bus was built from, lowest port first.
    public let attachments: [Attachment]

    /// For each high byte of a port, the number of its leaf.
    @usableFromInline let directory: InlineArray<256, UInt8>
    /// Leaves of 256 numbers of runs each, one after the other.
    @usableFromInline let leaves: UnsafeMutableBufferPointer<UInt16>
    /// The runs by number, lowest first. Each keeps its target alive.
    @usableFromInline let runs: UnsafeMutableBufferPointer<Run>
    private let unclaimedPorts: UnclaimedPorts

    /// Builds a bus.
    ///
    /// - Parameter attachments: the devices, in any order.
    /// - Throws: `BusError.overlap` if two ranges share a port.
    public init(_ attachments: consuming [Attachment]) throws(BusError) {
        var sorted = attachments
        sorted.sort { $0.ports.lowerBound < $1.ports.lowerBound }
        for index in sorted.indices.dropFirst() where sorted[index].ports.overlaps(sorted[index - 1].ports) {
            throw .overlap(sorted[index - 1].occupant, sorted[index].occupant)
        }
        unclaimedPorts = UnclaimedPorts()
        self.attachments = sorted
        runs = Self.makeRuns(of: sorted, holes: unclaimedPorts)
        var directory = InlineArray<256, UInt8>(repeating: 0)
        leaves = Self.makeLeaves(&directory, from: runs)
        self.directory = directory
    }

    deinit {
        for run in runs { run.target.release() }
        runs.deallocate()
        leaves.deallocate()
    }

    /// Runs that cover every port exactly once, lowest first.
    private static func makeRuns(of sorted: [Attachment], holes: UnclaimedPorts) -> UnsafeMutableBufferPointer<Run> {
        // At most one for each device, and a hole before each and after the last.
        let runs = UnsafeMutableBufferPointer<Run>.allocate(capacity: 2 * sorted.count + 1)
        var count = 0
        func append(_ target: Target, through last: UInt16) {
            runs.initializeElement(at: count, to: Run(target: .passRetained(target), last: last))
            count += 1
        }
        let hole = Target(holes)
        var next = 0
        for index in sorted.indices {
            let ports = sorted[index].ports
            if ports.lowerBound > next { append(hole, through: ports.lowerBound - 1) }
            append(Target(sorted[index].device), through: ports.upperBound)
            next = Int(ports.upperBound) + 1
        }
        if next <= 0xffff { append(hole, through: 0xffff) }
        return .init(rebasing: runs[..<count])
    }

    /// Writes the leaf number of each high byte into `directory` and returns the leaves.
    private static func makeLeaves(
        _ directory: inout InlineArray<256, UInt8>, from runs: UnsafeMutableBufferPointer<Run>
    ) -> UnsafeMutableBufferPointer<UInt16> {
        // A run begins at most two: the one that it ends in, and before that one which all of its high bytes share.
        let leaves = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: min(2 * runs.count, 256) * 256)
        var filled = 0
        var next = 0
        for (number, run) in runs.enumerated() {
            while next <= run.last {
                // What comes before this port in its leaf is filled already.
                let leaf = UInt8(filled >> 8)
                var end = min(Int(run.last), next | 0xff) + 1
                leaves[filled..<(filled + end - next)].initialize(repeating: UInt16(number))
                filled += end - next
                // High bytes whose ports are all of this run share the leaf.
                if end - next == 256 { end = (Int(run.last) + 1) & ~0xff }
                for high in (next >> 8)...((end - 1) >> 8) { directory[high] = leaf }
                next = end
            }
        }
        return leaves
    }

    @inlinable
    @inline(__always)
    func run(at port: UInt16) -> Run {
        let leaf = Int(directory[Int(port &>> 8)])
        return runs[Int(leaves[leaf &<< 8 | Int(port & 0xff)])]
    }

    /// Whether `size` bytes from `port` lie in one run. A size below 1 does not.
    @inlinable
    @inline(__always)
    static func isInside(_ run: Run, port: UInt16, size: Int) -> Bool {
        UInt(bitPattern: size &- 1) <= UInt(run.last &- port)
    }

    /// Reads from whatever answers at `port`: all ones where nothing does.
    ///
    /// - Parameters:
    ///   - port: the port number of the first byte.
    ///   - size: the width in bytes: 1, 2 or 4.
    /// - Returns: the value in the low `size` bytes; the rest is unspecified.
    @inlinable
    public func read(port: UInt16, size: Int) -> UInt32 {
        let run = run(at: port)
        guard Self.isInside(run, port: port, size: size) else { return readBytes(port: port, size: size) }
        return run.target._withUnsafeGuaranteedRef { $0.device.read(port: port, size: size) }
    }

    /// Writes to whatever answers at `port`; dropped where nothing does.
    ///
    /// - Parameters:
    ///   - value: the value in the low `size` bytes.
    ///   - port: the port number of the first byte.
    ///   - size: the width in bytes: 1, 2 or 4.
    @inlinable
    public func write(_ value: UInt32, port: UInt16, size: Int) {
        let run = run(at: port)
        guard Self.isInside(run, port: port, size: size) else { return writeBytes(value, port: port, size: size) }
        run.target._withUnsafeGuaranteedRef { $0.device.write(value, port: port, size: size) }
    }

    /// Reads byte by byte.
    @usableFromInline
    @inline(never)
    func readBytes(port: UInt16, size: Int) -> UInt32 {
        var value: UInt32 = 0
        var index = 0
        while index < min(size, 4) {
            value |= (read(port: port &+ UInt16(index), size: 1) & 0xff) &<< UInt32(8 * index)
            index += 1
        }
        return value
    }

    /// Writes byte by byte.
    @usableFromInline
    @inline(never)
    func writeBytes(_ value: UInt32, port: UInt16, size: Int) {
        var index = 0
        while index < min(size, 4) {
            write((value &>> UInt32(8 * index)) & 0xff, port: port &+ UInt16(index), size: 1)
            index += 1
        }
    }
}

// MARK: What nobody claimed

extension PortBus {
    /// The first 64 distinct ports that were accessed though no device claims them, lowest first.
    public var unclaimed: [UnclaimedAccess] { unclaimedPorts.log.accesses }

    /// All reads no device claimed. A read split into bytes counts once for each unclaimed byte.
    public var unclaimedReads: UInt64 { unclaimedPorts.log.reads }

    /// All writes no device claimed. A write split into bytes counts once for each unclaimed byte.
    public var unclaimedWrites: UInt64 { unclaimedPorts.log.writes }
}
