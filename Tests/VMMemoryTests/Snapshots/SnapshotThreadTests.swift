import Synchronization
import TestSupport
import Testing
import VMHost

@testable import VMMemory

@Suite("Snapshots and threads", .serialized)
struct SnapshotThreadTests {
    @Test("A thread may hold any number of snapshots at a time, and drop them in any order", arguments: 0..<8)
    func manyAtOnce(_ seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        let cage = CanaryCage(capacity: 256)
        let memory = GuestMemoryAtomic(cage.makeMap())
        var boxes: [(box: BoxedSnapshot<CanaryMap>, content: Int)] = []
        for content in 0..<100 {
            boxes.append((BoxedSnapshot(memory), content))
            #expect(Set(boxes.map { $0.box.snapshot.slot }).count == boxes.count, "seed \(seed)")
            memory.update { $0.makeNext() }
            let areAllThere = boxes.allSatisfy { box, content in
                box.snapshot.withMap { $0.content == content && cage.isAlive($0.number) }
            }
            #expect(areAllThere, "seed \(seed)")
            while !boxes.isEmpty, Int.random(in: 0..<4, using: &numbers) == 0 {
                boxes.remove(at: Int.random(in: 0..<boxes.count, using: &numbers))
            }
            #expect(cage.settles(at: boxes.count + 1), "seed \(seed)")
        }
        boxes = []
        #expect(cage.settles(at: 1), "seed \(seed)")
    }

    @Test("A thread that holds an old snapshot pays for it once it drops that, not with each other one")
    func attention() {
        let cage = CanaryCage(capacity: 8)
        let memory = GuestMemoryAtomic(cage.makeMap())
        do {
            let old = BoxedSnapshot(memory)
            memory.update { $0.makeNext() }
            let word = ReaderSlots.attentionWord(of: old.snapshot.slot)
            let bit = ReaderSlots.attentionBit(old.snapshot.slot)
            for _ in 0..<3 {
                let other = BoxedSnapshot(memory)
                #expect(ReaderSlots.attentionBit(other.snapshot.slot) != bit)
            }
            #expect(word.pointee.load(ordering: .relaxed) & bit == bit)
            #expect(cage.livingCount == 2)
        }
        #expect(cage.settles(at: 1))
    }

    @Test("A snapshot may be dropped by another thread than the one that took it; its map is freed then")
    func passedOn() {
        let cage = CanaryCage(capacity: 64)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let parcel = SnapshotParcel<CanaryMap>()
        for _ in 0..<20 {
            for _ in 0..<3 { parcel.put(BoxedSnapshot(memory)) }
            memory.update { $0.makeNext() }
            #expect(cage.livingCount == 2)
            TestThread { _ = parcel.take() }.join()
            TestThread { _ = parcel.take() }.join()
            #expect(cage.livingCount == 2)
            TestThread { _ = parcel.take() }.join()
            #expect(cage.settles(at: 1))
        }
    }

    @Test("A thread may end before its snapshots are dropped; later threads leave their slots alone")
    func threadEndsFirst() throws {
        let cage = CanaryCage(capacity: 256)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let parcel = SnapshotParcel<CanaryMap>()
        // More than two blocks hold, with some of their slots clear.
        TestThread {
            var dropped: [BoxedSnapshot<CanaryMap>] = []
            for index in 0..<16 {
                let box = BoxedSnapshot(memory)
                if index.isMultiple(of: 3) { dropped.append(box) } else { parcel.put(box) }
            }
        }.join()
        memory.update { $0.makeNext() }
        let failureCount = Atomic<Int>(0)
        for _ in 0..<20 {
            try onThreads(2) { _ in
                let boxes = (0..<16).map { _ in BoxedSnapshot(memory) }
                if !boxes.allSatisfy({ $0.snapshot.withMap { $0.content == 1 } }) {
                    failureCount.wrappingAdd(1, ordering: .relaxed)
                }
            }
        }
        #expect(failureCount.load(ordering: .relaxed) == 0)
        #expect(cage.livingCount == 2)
        // The threads that come after hold none of them themselves.
        let refusalCount = Atomic<Int>(0)
        TestThread {
            _ = memory.memory().retained()
            let helper = TestThread { while parcel.take() != nil {} }
            do { try memory.synchronize() } catch { refusalCount.wrappingAdd(1, ordering: .relaxed) }
            helper.join()
        }.join()
        #expect(refusalCount.load(ordering: .relaxed) == 0)
        #expect(cage.settles(at: 1))
    }

    @Test("Thousands of threads, one after another, share a few blocks of slots")
    func blocksAreReused() throws {
        let cage = CanaryCage(capacity: 8)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let blocks = Monitor<Set<UInt>>([])
        for _ in 0..<1500 {
            try onThreads(2) { _ in
                let boxes = (0..<8).map { _ in BoxedSnapshot(memory) }
                blocks.withLock { blocks in
                    for box in boxes { blocks.insert(UInt(bitPattern: box.snapshot.slot) & ~63) }
                }
            }
        }
        // Of the 6000 they had, four at a time; other tests of the process take some of them now and then.
        #expect(blocks.withLock { $0.count } < 300)
    }
}
