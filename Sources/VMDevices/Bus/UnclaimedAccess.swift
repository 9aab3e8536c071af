import Synchronization

/// How often a guest touched one port, or one 4 KiB page of addresses, that no device claims.
public struct UnclaimedAccess: Hashable, Sendable {
    /// The port number, or the guest-physical address of the 4 KiB page.
    public var location: UInt64
    /// Reads that started here.
    public var reads: UInt64
    /// Writes that started here.
    public var writes: UInt64

    /// Makes a record of accesses to `location`.
    public init(location: UInt64, reads: UInt64, writes: UInt64) {
        self.location = location
        self.reads = reads
        self.writes = writes
    }
}

/// Counts accesses nobody claims: totals for all, and each location apart for the first few distinct ones.
///
/// The table is bounded because the guest chooses the locations.
final class UnclaimedLog: Sendable {
    /// How many distinct locations are counted apart.
    static let capacity = 64

    private struct Table {
        var entries: [UnclaimedAccess]
        /// The entry of the last access: guests that hit a hole tend to hit the same one again.
        var latest = 0

        init() {
            entries = []
            // So that counting never allocates.
            entries.reserveCapacity(UnclaimedLog.capacity)
        }

        mutating func index(of location: UInt64) -> Int? {
            if latest < entries.count, entries[latest].location == location { return latest }
            if let found = entries.firstIndex(where: { $0.location == location }) {
                latest = found
                return found
            }
            guard entries.count < UnclaimedLog.capacity else { return nil }
            entries.append(UnclaimedAccess(location: location, reads: 0, writes: 0))
            latest = entries.count - 1
            return latest
        }
    }

    private let totalReads = Atomic<UInt64>(0)
    private let totalWrites = Atomic<UInt64>(0)
    private let table = Mutex(Table())

    var reads: UInt64 { totalReads.load(ordering: .relaxed) }
    var writes: UInt64 { totalWrites.load(ordering: .relaxed) }

    /// The locations counted apart, lowest first.
    var accesses: [UnclaimedAccess] {
        table.withLock { $0.entries }.sorted { $0.location < $1.location }
    }

    func countRead(at location: UInt64) {
        totalReads.wrappingAdd(1, ordering: .relaxed)
        table.withLock { table in
            if let index = table.index(of: location) { table.entries[index].reads &+= 1 }
        }
    }

    func countWrite(at location: UInt64) {
        totalWrites.wrappingAdd(1, ordering: .relaxed)
        table.withLock { table in
            if let index = table.index(of: location) { table.entries[index].writes &+= 1 }
        }
    }
}

/// Stands behind every port no device claims: reads all ones, drops writes, counts both.
final class UnclaimedPorts: PortDevice {
    let log = UnclaimedLog()

    func read(port: UInt16, size: Int) -> UInt32 {
        log.countRead(at: UInt64(port))
        return size >= 4 ? .max : (1 &<< UInt32(8 * max(size, 0))) &- 1
    }

    func write(_ value: UInt32, port: UInt16, size: Int) {
        log.countWrite(at: UInt64(port))
    }
}

/// Stands behind every address no device claims: reads all ones, drops writes, counts both by 4 KiB page.
///
/// Its offsets are guest-physical addresses.
final class UnclaimedAddresses: MMIODevice {
    let log = UnclaimedLog()

    func read(offset: UInt64, size: Int) -> UInt64 {
        log.countRead(at: offset & ~0xfff)
        return size >= 8 ? .max : (1 &<< UInt64(8 * max(size, 0))) &- 1
    }

    func write(_ value: UInt64, offset: UInt64, size: Int) {
        log.countWrite(at: offset & ~0xfff)
    }
}
