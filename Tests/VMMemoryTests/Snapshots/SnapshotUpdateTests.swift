import Synchronization
import TestSupport
import Testing
import VMHost

@testable import VMMemory

@Suite("Changing a memory map")
struct SnapshotUpdateTests {
    private struct Refusal: Error {}

    @Test("An update sees the map in force and replaces it; the generation counts it")
    func update() {
        let cage = CanaryCage(capacity: 8)
        let memory = GuestMemoryAtomic(cage.makeMap(content: 5))
        #expect(memory.generation == 0)
        memory.update { map in
            #expect(map.content == 5)
            return cage.makeMap(content: 6)
        }
        #expect(memory.memory().withMap { $0.content } == 6)
        #expect(memory.generation == 1)
        #expect(cage.settles(at: 1))
    }

    @Test("An update that throws changes nothing, and the map can be changed after it")
    func throwingUpdate() {
        let cage = CanaryCage(capacity: 8)
        let memory = GuestMemoryAtomic(cage.makeMap(content: 5))
        let calls = Atomic<Int>(0)
        let listener = memory.addListener { _, _ in calls.wrappingAdd(1, ordering: .relaxed) }
        #expect(throws: Refusal.self) { try memory.update { _ throws(Refusal) in throw Refusal() } }
        #expect(memory.memory().withMap { $0.content } == 5)
        #expect(memory.generation == 0)
        #expect(calls.load(ordering: .relaxed) == 0)
        memory.update { $0.makeNext() }
        #expect(memory.memory().withMap { $0.content } == 6)
        #expect(calls.load(ordering: .relaxed) == 1)
        withExtendedLifetime(listener) {}
    }

    @Test("A lock that is dropped without a new map changes nothing, and the map can be changed after it")
    func droppedLock() {
        let cage = CanaryCage(capacity: 8)
        let memory = GuestMemoryAtomic(cage.makeMap(content: 5))
        do {
            let update = memory.lock()
            #expect(update.map.content == 5)
        }
        #expect(memory.generation == 0)
        memory.lock().replace(with: cage.makeMap(content: 9))
        #expect(memory.memory().withMap { $0.content } == 9)
        #expect(memory.generation == 1)
    }

    @Test("Who holds the lock keeps others from changing the map, and nobody from reading it")
    func lockExcludes() {
        let cage = CanaryCage(capacity: 8)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let isWaiting = Atomic<Bool>(false)
        let update = memory.lock()
        let other = TestThread {
            isWaiting.store(true, ordering: .releasing)
            memory.update { $0.makeNext() }
        }
        #expect(eventually { isWaiting.load(ordering: .acquiring) })
        for _ in 0..<100 { #expect(memory.memory().withMap { $0.content } == 0) }
        update.replace(with: cage.makeMap(content: 10))
        other.join()
        #expect(memory.memory().withMap { $0.content } == 11)
    }

    @Test("Updates of several threads lose none of the changes")
    func concurrentUpdates() throws {
        let cage = CanaryCage(capacity: 8192)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let (threads, rounds) = (4, 500)
        try onThreads(threads) { _ in
            for round in 0..<rounds {
                memory.update { $0.makeNext() }
                // Locks that come to nothing, in between.
                if round.isMultiple(of: 7) { _ = memory.lock() }
                try? memory.update { _ throws(Refusal) in throw Refusal() }
            }
        }
        #expect(memory.memory().withMap { $0.content } == threads * rounds)
        #expect(memory.generation == UInt64(threads * rounds))
        #expect(cage.settles(at: 1))
    }

    @Test("A generation looked at before a snapshot is never newer than it")
    func generationBeforeSnapshot() throws {
        let cage = CanaryCage()
        let memory = GuestMemoryAtomic(cage.makeMap())
        let deadline = Deadline(.milliseconds(200))
        let failureCount = Atomic<Int>(0)
        try onThreads(3) { index in
            while !deadline.hasPassed, !cage.isFull {
                if index == 0 { memory.update { $0.makeNext() } }
                let generation = memory.generation
                let content = memory.memory().withMap { $0.content }
                if content < generation { failureCount.wrappingAdd(1, ordering: .relaxed) }
            }
        }
        #expect(failureCount.load(ordering: .relaxed) == 0)
    }
}
