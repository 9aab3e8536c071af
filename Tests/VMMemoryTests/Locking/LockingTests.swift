import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

@Suite("Locked memory")
struct LockingTests {
    private typealias Event = AccessLockLog.Event

    /// What is to be known of a piece.
    private struct Part: Equatable {
        let address: UInt64
        let count: Int

        init(_ address: UInt64, _ count: Int) {
            self.address = address
            self.count = count
        }
    }

    private func parts(_ locked: borrowing LockedMemory) -> [Part] {
        locked.mapPieces { Part($0.address.rawValue, $0.byteCount) }
    }

    /// Two adjoining regions of two pages, `a` of the first two of its four, `b` of the last two, and `c` apart.
    private func makeMemory(_ log: AccessLockLog) throws -> GuestMemory {
        let b = try AccessLockable("b", pages: 4, log: log)
        let range = try AccessMemory.range(0x2000, 0x2000)
        return try AccessMemory.make([
            AccessMemory.region(0, AccessLockable("a", pages: 2, log: log)),
            MemoryRegion(range, b, offset: 0x2000, bitmap: AccessPageSet()),
            AccessMemory.region(0x8000, AccessLockable("c", pages: 2, log: log)),
        ])
    }

    @Test("A range is locked in one piece for each region, and unlocked in reverse order")
    func range() throws {
        let log = AccessLockLog()
        let memory = try makeMemory(log)
        do {
            let locked = try memory.lock(GuestAddress(0x1801), count: 0x1000, for: .reading)
            let parts = parts(locked)
            #expect(parts == [Part(0x1801, 0x7ff), Part(0x2000, 0x801)])
            #expect(
                log.events == [
                    .lock("a", offset: 0x1801, count: 0x7ff), .expose("a", offset: 0x1801, count: 0x7ff),
                    .lock("b", offset: 0x2000, count: 0x801), .expose("b", offset: 0x2000, count: 0x801),
                ])
            log.clear()
        }
        #expect(log.events == [.unlock("b", offset: 0x2000, count: 0x801), .unlock("a", offset: 0x1801, count: 0x7ff)])
    }

    @Test("The bytes of a piece are the guest's")
    func bytes() throws {
        let memory = try makeMemory(AccessLockLog())
        let pattern = AccessMemory.pattern(0x1000)
        try memory.write(pattern, at: GuestAddress(0x1800))
        let locked = try memory.lock(GuestAddress(0x1800), count: 0x1000, for: .writing)
        let found = locked.mapPieces { $0.withUnsafeMutableBytes { Array($0) } }
        #expect(Array(found.joined()) == pattern)
        locked.withBytes(ofPiece: 1) { $0[3] = 0xab }
        #expect(try memory.load(GuestAddress(0x2003)) as UInt8 == 0xab)
        let memoryOfPart = try memory.subrange(#require(AddressRange(start: GuestAddress(0x1900), count: 0x80)))
        let part = try memoryOfPart.lock(GuestAddress(0x10), count: 0x70, for: .reading)
        let (addresses, pieces) = (
            part.mapPieces { $0.address }, part.mapPieces { $0.withUnsafeMutableBytes { Array($0) } }
        )
        #expect(addresses == [GuestAddress(0x1910)])
        #expect(pieces == [Array(pattern[0x110..<0x180])])
    }

    @Test("Frames that follow one another, in the guest and in one region, are one piece")
    func frames() throws {
        let log = AccessLockLog()
        let memory = try makeMemory(log)
        do {
            let locked = try memory.lock(frames: [8, 9, 0, 1, 2, 2], for: .writing)
            let parts = parts(locked)
            #expect(parts == [Part(0x8000, 0x2000), Part(0, 0x2000), Part(0x2000, 0x1000), Part(0x2000, 0x1000)])
            log.clear()
        }
        #expect(
            log.events == [
                .unlock("b", offset: 0x2000, count: 0x1000), .unlock("b", offset: 0x2000, count: 0x1000),
                .unlock("a", offset: 0, count: 0x2000), .unlock("c", offset: 0, count: 0x2000),
            ])
        log.clear()
        let none = try memory.lock(frames: [], for: .writing)
        let count = none.pieceCount
        #expect(count == 0)
        #expect(log.events.isEmpty)
    }

    @Test("Frames of a part of memory are counted from its start")
    func framesOfPart() throws {
        let memory = try makeMemory(AccessLockLog())
        let part = try memory.subrange(#require(AddressRange(start: GuestAddress(0x1000), count: 0x3000)))
        let locked = try part.lock(frames: [0, 2], for: .reading)
        let parts = parts(locked)
        #expect(parts == [Part(0x1000, 0x1000), Part(0x3000, 0x1000)])
        let error = try AccessMemory.failure { _ = try part.lock(frames: [2, 3], for: .reading) }
        #expect(error.kind == .outOfBounds(last: 0x2fff))
        #expect(error.address == GuestAddress(0x3000))
    }

    @Test("Memory locked for writing is marked when the lock ends, or on demand; memory locked for reading never")
    func marking() throws {
        let bitmap = try AtomicBitmap(byteCount: 0x4000)
        let memory = try AccessMemory.make([
            AccessMemory.region(0x1000, AccessPages(pages: 4), bitmap: bitmap),
            AccessMemory.region(0x5000, AccessPages(pages: 1), bitmap: AccessPageSet()),
        ])
        func dirty() -> [UInt64] { (0..<5 as Range<UInt64>).filter { memory.isDirty(0x1000 + $0 << 12) } }
        do { _ = try memory.lock(GuestAddress(0x1000), count: 0x5000, for: .reading) }
        #expect(dirty() == [])
        do {
            let locked = try memory.lock(GuestAddress(0x3fff), count: 0x1002, for: .writing)
            #expect(dirty() == [])
            locked.forEachPiece { if $0.address == GuestAddress(0x5000) { $0.markWritten() } }
            #expect(dirty() == [4])
            locked.markWritten()
            #expect(dirty() == [2, 3, 4])
            var runs: [Range<UInt64>] = []
            _ = bitmap.harvest(into: &runs)
            #expect(dirty() == [4])
        }
        #expect(dirty() == [2, 3, 4])
    }

    @Test("Memory is marked before its pages are unlocked")
    func markedFirst() throws {
        let marks = AccessPageSet()
        let wasMarked = AccessSignal()
        let access = try AccessUnlockHook { if marks.isDirty(at: 0) { wasMarked.end() } }
        let memory = try AccessMemory.make([AccessMemory.region(0, access, bitmap: marks)])
        do { _ = try memory.lock(GuestAddress(0), count: 1, for: .writing) }
        #expect(!wasMarked.isRunning)
    }

    @Test("A read-only region can be locked for reading, not for writing")
    func readOnly() throws {
        let log = AccessLockLog()
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessLockable("ram", pages: 1, log: log)),
            AccessMemory.region(0x1000, AccessLockable("rom", pages: 1, log: log), isReadOnly: true),
        ])
        do {
            let locked = try memory.lock(GuestAddress(0), count: 0x2000, for: .reading)
            let parts = parts(locked)
            #expect(parts == [Part(0, 0x1000), Part(0x1000, 0x1000)])
        }
        log.clear()
        let error = try AccessMemory.failure { _ = try memory.lock(GuestAddress(0xff0), count: 0x20, for: .writing) }
        #expect(error.kind == .readOnly)
        #expect(error.operation == .lock)
        #expect(error.failing == GuestAddress(0x1000))
        #expect(log.events.last == .unlock("ram", offset: 0xff0, count: 0x10))
    }

    @Test("A page that the access bitmap forbids for the purpose cannot be locked")
    func forbidden() throws {
        let permissions = try PagePermissions(byteCount: 0x4000)
        permissions.set(.read, offset: 0x2000, count: 0x1000)
        permissions.set(.write, offset: 0x3000, count: 0x1000)
        let access = try AccessPages(pages: 4, permissions: permissions)
        let memory = try AccessMemory.make([AccessMemory.region(0x1_0000, access)])
        do { _ = try memory.lock(GuestAddress(0x1_0000), count: 0x3000, for: .reading) }
        do { _ = try memory.lock(GuestAddress(0x1_0000), count: 0x2000, for: .writing) }
        let cases: [(GuestMemory.Purpose, UInt64)] = [(.reading, 0x1_3000), (.writing, 0x1_2000)]
        for (purpose, failing) in cases {
            let error = try AccessMemory.failure {
                _ = try memory.lock(GuestAddress(0x1_0800), count: 0x3000, for: purpose)
            }
            #expect(error.kind == .notPermitted)
            #expect(error.failing == GuestAddress(failing))
            #expect(error.completed == 0)
        }
        // Who locks for writing may read, too.
        let unreadable = try AccessMemory.failure { _ = try memory.lock(frames: [0x13], for: .writing) }
        #expect(unreadable.kind == .notPermitted)
    }
}

/// A page that calls back when it is unlocked.
private final class AccessUnlockHook: GuestMemoryAccess, @unchecked Sendable {
    // SAFETY: everything is constant.
    private let pages: AccessPages
    private let onUnlock: @Sendable () -> Void

    init(_ onUnlock: @escaping @Sendable () -> Void) throws {
        pages = try AccessPages(pages: 1)
        self.onUnlock = onUnlock
    }

    var mapping: UnsafeMutableRawPointer? { pages.base }
    var byteCount: UInt64 { pages.byteCount }

    func unlockPages(offset: UInt64, count: UInt64) {
        onUnlock()
    }
}
