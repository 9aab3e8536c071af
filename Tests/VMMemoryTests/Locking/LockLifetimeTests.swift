import Glibc
import Synchronization
import TestSupport
import Testing
import VMAddressSpace
import VMMemory

@Suite("Locks and changes of the map", .timeLimit(.minutes(10)))
struct LockLifetimeTests {
    @Test("A lock outlives the region's place in the map, and keeps its memory")
    func removed() throws {
        let range = try AccessMemory.range(0x1000, 0x1000)
        let marks = AccessPageSet()
        let memory = try AccessMemory.make(pages: 1)
        weak var backing: AccessPages?
        do {
            let pages = try AccessPages(pages: 1)
            backing = pages
            let added = try AccessMemory.region(0x1000, pages, bitmap: marks)
            try memory.map.update { map throws(RegionMapError) in try map.inserting(added) }
        }
        do {
            let locked = try memory.lock(GuestAddress(0x1000), count: 0x1000, for: .writing)
            try memory.map.update { map throws(RegionMapError) in try map.removing(range).map }
            try memory.map.synchronize()
            #expect(!memory.contains(GuestAddress(0x1000), count: 1))
            locked.withBytes(ofPiece: 0) { bytes in
                bytes.initializeMemory(as: UInt8.self, repeating: 0x5a)
                #expect(bytes.count == 0x1000 && bytes[0xfff] == 0x5a)
            }
            #expect(backing != nil)
            #expect(!marks.isDirty(at: 0))
        }
        #expect(marks.isDirty(at: 0))
        #expect(backing == nil)
    }

    @Test("A lock can end on another thread than it began")
    func otherThread() throws {
        let log = AccessLockLog()
        let memory = try AccessMemory.make([AccessMemory.region(0, AccessLockable("a", pages: 1, log: log))])
        final class Holder: Sendable {
            let slot: Mutex<LockedMemory?>
            init(_ locked: consuming LockedMemory) { slot = Mutex(locked) }
        }
        let holder = Holder(try memory.lock(GuestAddress(0), count: 1, for: .reading))
        try onThreads([
            {
                guard let locked = holder.slot.withLock({ $0.take() }) else { throw AccessFailure("no lock") }
                guard locked.pieceCount == 1 else { throw AccessFailure("a lock without a piece") }
            }
        ])
        #expect(log.events.last == .unlock("a", offset: 0, count: 1))
    }

    @Test("Regions that are replaced while others lock them leave no lock behind, and every lock was of one map")
    func race() throws {
        let log = AccessLockLog()
        let ranges = try [AccessMemory.range(0, 0x1000), AccessMemory.range(0x1000, 0x1000)]
        @Sendable func region(_ index: Int, _ name: String) throws -> any GuestMemoryRegion {
            try MemoryRegion(ranges[index], AccessLockable(name, pages: 1, log: log), bitmap: AccessPageSet())
        }
        let memory = try AccessMemory.make([region(0, "0"), region(1, "0")])
        let signal = AccessSignal()
        // Each stores elsewhere: threads of the monitor are not processors, and their plain stores must not race.
        @Sendable func lockRepeatedly(_ index: Int) throws {
            while signal.isRunning {
                let locked = try memory.lock(GuestAddress(0xff8), count: 0x10, for: .writing)
                guard locked.mapPieces({ $0.byteCount }) == [8, 8] else {
                    throw AccessFailure("pieces of wrong lengths")
                }
                locked.forEachPiece { piece in piece.withUnsafeMutableBytes { $0[index] = 1 } }
            }
        }
        try onThreads([
            { try lockRepeatedly(0) }, { try lockRepeatedly(1) },
            {
                defer { signal.end() }
                for round in 1...200 {
                    let new = try region(round % 2, "\(round)")
                    try memory.map.update { map throws(RegionMapError) in try map.replacing(with: new) }
                    sched_yield()
                }
            },
        ])
        var balance: [String: Int] = [:]
        for event in log.events {
            switch event {
            case .lock(let name, _, _): balance[name, default: 0] += 1
            case .unlock(let name, _, _): balance[name, default: 0] -= 1
            case .expose: break
            }
        }
        #expect(!balance.isEmpty)
        #expect(balance.values.allSatisfy { $0 == 0 })
    }
}
