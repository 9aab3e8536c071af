import Synchronization
import Testing
import VMAddressSpace
import VMMemory

@Suite("Locks that fail", .timeLimit(.minutes(10)))
struct LockingFailureTests {
    /// Regions `a`, `b` and `c` of one page each, the last of which refuses one of the calls.
    private func makeMemory(
        _ log: AccessLockLog, refuses: @escaping @Sendable (AccessLockLog.Event) -> Bool
    ) throws -> GuestMemory {
        try AccessMemory.make(
            ["a", "b", "c"].enumerated().map { index, name in
                let access = try AccessLockable(name, pages: 1, log: log, refuses: refuses)
                return try AccessMemory.region(0x1000 * UInt64(index + 1), access, bitmap: AccessPageSet())
            })
    }

    private static let lockedBefore: [AccessLockLog.Event] = ["a", "b"].flatMap {
        [.lock($0, offset: 0, count: 0x1000), .expose($0, offset: 0, count: 0x1000)]
    }
    private static let unlocked: [AccessLockLog.Event] = ["b", "a"].map { .unlock($0, offset: 0, count: 0x1000) }
    private static let refusedLock = AccessLockLog.Event.lock("c", offset: 0, count: 0x1000)
    private static let refusedExposure = AccessLockLog.Event.expose("c", offset: 0, count: 0x1000)

    @Test("What was locked before is unlocked in reverse order, and nothing is marked")
    func halfWay() throws {
        let log = AccessLockLog()
        let memory = try makeMemory(log) { $0 == Self.refusedLock }
        let error = try AccessMemory.failure { _ = try memory.lock(GuestAddress(0x1000), count: 0x3000, for: .writing) }
        #expect(error.kind == .backing(AccessLockable.refusal))
        #expect(error.operation == .lock)
        #expect(error.failing == GuestAddress(0x3000))
        #expect(error.address == GuestAddress(0x1000))
        #expect(error.count == 0x3000)
        #expect(log.events == Self.lockedBefore + [Self.refusedLock] + Self.unlocked)
        #expect((1...3).allSatisfy { !memory.isDirty($0 << 12) })
    }

    @Test("Pages whose host addresses cannot be exposed are unlocked")
    func exposure() throws {
        let log = AccessLockLog()
        let memory = try makeMemory(log) { $0 == Self.refusedExposure }
        let error = try AccessMemory.failure { _ = try memory.lock(GuestAddress(0x1000), count: 0x3000, for: .reading) }
        #expect(error.kind == .backing(AccessLockable.refusal))
        #expect(
            log.events == Self.lockedBefore + [Self.refusedLock, Self.refusedExposure]
                + [.unlock("c", offset: 0, count: 0x1000)] + Self.unlocked)
    }

    @Test("A list of frames is locked as a whole or not at all")
    func frames() throws {
        let log = AccessLockLog()
        let memory = try makeMemory(log) { $0 == Self.refusedLock }
        let error = try AccessMemory.failure { _ = try memory.lock(frames: [1, 2, 1, 3], for: .writing) }
        #expect(error.kind == .backing(AccessLockable.refusal))
        #expect(error.count == 0x4000)
        #expect(error.failing == GuestAddress(0x3000))
        let unlocks = log.events.suffix(3)
        #expect(Array(unlocks) == ["a", "b", "a"].map { .unlock($0, offset: 0, count: 0x1000) })
    }

    @Test("Nothing is locked where not all is memory")
    func missing() throws {
        let log = AccessLockLog()
        let memory = try makeMemory(log) { _ in false }
        let cases: [(UInt64, UInt64, UInt64)] = [
            (0x1000, 0x3001, 0x4000), (0, 0x2000, 0), (0x3fff, .max, 0x4000), (.max, 1, .max),
            (0x1000, 1 << 63, 0x4000),
        ]
        for (start, count, failing) in cases {
            let error = try AccessMemory.failure {
                _ = try memory.lock(GuestAddress(start), count: count, for: .reading)
            }
            #expect(error.kind == .notMapped)
            #expect(error.failing == GuestAddress(failing))
            #expect(error.count == count)
        }
        let gap = try AccessMemory.failure { _ = try memory.lock(frames: [1, 2, 4], for: .reading) }
        #expect(gap.kind == .notMapped)
        #expect(gap.address == GuestAddress(0x1000))
        #expect(gap.count == 0x3000)
        let past = try AccessMemory.failure { _ = try memory.lock(frames: [1, 1 << 52], for: .reading) }
        #expect(past.kind == .badPageList)
        #expect(log.events.isEmpty)
    }

    @Test("Memory without host addresses cannot be locked")
    func calls() throws {
        let log = AccessLockLog()
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessLockable("a", pages: 1, log: log)),
            AccessMemory.region(0x1000, AccessCalls(pages: 1)),
        ])
        let error = try AccessMemory.failure { _ = try memory.lock(GuestAddress(0), count: 0x2000, for: .reading) }
        #expect(error.kind == .noHostAddress)
        #expect(error.failing == GuestAddress(0x1000))
        #expect(log.events.last == .unlock("a", offset: 0, count: 0x1000))
    }

    @Test("Rights that are taken away before the lock holds are seen, and the pages unlocked")
    func rightsGone() throws {
        let (log, permissions) = try (AccessLockLog(), PagePermissions(byteCount: 0x2000))
        let access = try AccessLockable("a", pages: 2, log: log, permissions: permissions) { event in
            if case .lock = event { permissions.set(.read, offset: 0x1000, count: 1) }
            return false
        }
        let memory = try AccessMemory.make([AccessMemory.region(0, access)])
        let error = try AccessMemory.failure { _ = try memory.lock(GuestAddress(0), count: 0x2000, for: .writing) }
        #expect(error.kind == .notPermitted)
        #expect(error.failing == GuestAddress(0x1000))
        #expect(log.events.last == .unlock("a", offset: 0, count: 0x2000))
    }

    /// What a backing's call does to the map, once it is there.
    private final class Change: Sendable {
        let body = Mutex<(@Sendable () throws -> Void)?>(nil)

        /// Does it, the first time.
        func run() -> Bool {
            let body = body.withLock { body in
                defer { body = nil }
                return body
            }
            return (try? body?()) == nil && body != nil
        }
    }

    @Test("A region that is replaced before the lock holds is unlocked, and the new one locked")
    func regionReplaced() throws {
        let (log, change) = (AccessLockLog(), Change())
        let old = try AccessLockable("old", pages: 1, log: log) { _ in change.run() }
        let new = try AccessMemory.region(0x1000, AccessLockable("new", pages: 1, log: log))
        let memory = try AccessMemory.make([AccessMemory.region(0x1000, old)])
        change.body.withLock { body in
            body = { try memory.map.update { map throws(RegionMapError) in try map.replacing(with: new) } }
        }
        do {
            let locked = try memory.lock(GuestAddress(0x1800), count: 0x10, for: .reading)
            let starts = locked.mapPieces { $0.withUnsafeMutableBytes { $0.baseAddress } }
            #expect(starts == [new.hostAddress.map { $0 + 0x800 }])
        }
        let part = (offset: 0x800 as UInt64, count: 0x10 as UInt64)
        #expect(
            log.events == [
                .lock("old", offset: part.offset, count: part.count),
                .expose("old", offset: part.offset, count: part.count),
                .unlock("old", offset: part.offset, count: part.count),
                .lock("new", offset: part.offset, count: part.count),
                .expose("new", offset: part.offset, count: part.count),
                .unlock("new", offset: part.offset, count: part.count),
            ])
    }

    @Test("A region that is removed before the lock holds is unlocked, and there is no memory")
    func regionRemoved() throws {
        let (log, change) = (AccessLockLog(), Change())
        let access = try AccessLockable("b", pages: 1, log: log) { _ in change.run() }
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessLockable("a", pages: 1, log: log)), AccessMemory.region(0x1000, access),
        ])
        let range = try AccessMemory.range(0x1000, 0x1000)
        change.body.withLock { body in
            body = { try memory.map.update { map throws(RegionMapError) in try map.removing(range).map } }
        }
        let error = try AccessMemory.failure { _ = try memory.lock(GuestAddress(0), count: 0x2000, for: .reading) }
        #expect(error.kind == .notMapped)
        #expect(error.failing == GuestAddress(0x1000))
        #expect(
            log.events.suffix(2) == [.unlock("b", offset: 0, count: 0x1000), .unlock("a", offset: 0, count: 0x1000)])
    }
}
