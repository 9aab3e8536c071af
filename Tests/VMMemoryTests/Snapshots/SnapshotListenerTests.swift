import Synchronization
import TestSupport
import Testing
import VMHost

@testable import VMMemory

@Suite("Listeners to a memory map")
struct SnapshotListenerTests {
    /// What listeners were called with, in order.
    private final class Calls: Sendable {
        struct Call: Hashable {
            let listener: Int
            let content: Int
            let generation: UInt64
        }
        private let calls = Monitor([Call]())

        var all: [Call] { calls.withLock { $0 } }

        func record(_ listener: Int, _ map: CanaryMap, _ generation: UInt64) {
            calls.withLock { $0.append(Call(listener: listener, content: map.content, generation: generation)) }
        }
    }

    @Test("Listeners are called in the order they were added, with each map and its generation")
    func order() {
        let cage = CanaryCage(capacity: 16)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let calls = Calls()
        let listeners = (0..<3).map { number in memory.addListener { calls.record(number, $0, $1) } }
        memory.update { $0.makeNext() }
        memory.lock().replace(with: cage.makeMap(content: 7))
        let expected = [(1, 1), (7, 2)].flatMap { content, generation in
            (0..<3).map { Calls.Call(listener: $0, content: content, generation: UInt64(generation)) }
        }
        #expect(calls.all == expected)
        withExtendedLifetime(listeners) {}
    }

    @Test("A listener that is let go of is not called again, and what it captured goes with it")
    func letGo() {
        let cage = CanaryCage(capacity: 16)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let calls = Calls()
        var first: GuestMemoryAtomic<CanaryMap>.Listener?
        do {
            let captured = cage.makeMap()
            first = memory.addListener { map, generation in calls.record(captured.content, map, generation) }
        }
        let second = memory.addListener { calls.record(1, $0, $1) }
        memory.update { $0.makeNext() }
        #expect(cage.settles(at: 2))
        first = nil
        #expect(first == nil)
        #expect(cage.settles(at: 1))
        memory.update { $0.makeNext() }
        #expect(calls.all.map(\.listener) == [0, 1, 1])
        withExtendedLifetime(second) {}
    }

    @Test("A listener may outlive its memory")
    func outlivesMemory() {
        let cage = CanaryCage(capacity: 16)
        var memory: GuestMemoryAtomic? = GuestMemoryAtomic(cage.makeMap())
        let listener = memory?.addListener { _, _ in }
        memory = nil
        #expect(memory == nil && listener != nil)
        #expect(cage.settles(at: 0))
    }

    @Test("What a listener captured may hold a listener itself")
    func capturedListener() {
        let cage = CanaryCage(capacity: 16)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let calls = Calls()
        var outer: GuestMemoryAtomic<CanaryMap>.Listener?
        do {
            let inner = memory.addListener { calls.record(0, $0, $1) }
            outer = memory.addListener { map, generation in
                withExtendedLifetime(inner) { calls.record(1, map, generation) }
            }
        }
        memory.update { $0.makeNext() }
        outer = nil
        #expect(outer == nil)
        memory.update { $0.makeNext() }
        #expect(calls.all.map(\.listener) == [0, 1])
    }

    @Test("A listener reads the new map and sees its generation counted")
    func readsNewMap() {
        let cage = CanaryCage(capacity: 16)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let agreedCount = Atomic<Int>(0)
        let listener = memory.addListener { [unowned memory] map, generation in
            let isNew = memory.memory().withMap { $0 === map } && memory.generation == generation
            if isNew { agreedCount.wrappingAdd(1, ordering: .relaxed) }
        }
        for _ in 0..<5 { memory.update { $0.makeNext() } }
        #expect(agreedCount.load(ordering: .relaxed) == 5)
        withExtendedLifetime(listener) {}
    }

    @Test("A listener may add and let go of listeners, which counts from the next change on")
    func changesListeners() {
        let cage = CanaryCage(capacity: 16)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let calls = Calls()
        final class Added: Sendable {
            let listener = Monitor<GuestMemoryAtomic<CanaryMap>.Listener?>(nil)
        }
        let added = Added()
        let listener = memory.addListener { [unowned memory] _, generation in
            let next = generation == 1 ? memory.addListener { calls.record(9, $0, $1) } : nil
            // The old one goes outside the lock, as anything of which the end is unknown should.
            _ = added.listener.withLock { current in
                defer { current = next }
                return current
            }
        }
        for _ in 0..<3 { memory.update { $0.makeNext() } }
        // Added in the first call, called at the second change once more, gone at the third.
        #expect(calls.all.map(\.generation) == [2])
        withExtendedLifetime(listener) {}
    }

    @Test("A listener that waits for earlier snapshots waits for those of the map just replaced")
    func synchronizes() {
        let cage = CanaryCage(capacity: 16)
        let memory = GuestMemoryAtomic(cage.makeMap())
        let waited = Atomic<Int>(0)
        let listener = memory.addListener { [unowned memory] _, _ in
            waited.store(1, ordering: .sequentiallyConsistent)
            try? memory.synchronize()
            waited.store(2, ordering: .sequentiallyConsistent)
        }
        SnapshotHolder.with(memory) { holder in
            let updater = TestThread { memory.update { $0.makeNext() } }
            #expect(eventually { waited.load(ordering: .sequentiallyConsistent) == 1 })
            #expect(staysFor(milliseconds: 30) { waited.load(ordering: .sequentiallyConsistent) == 1 })
            holder.drop()
            updater.join()
        }
        #expect(waited.load(ordering: .sequentiallyConsistent) == 2)
        withExtendedLifetime(listener) {}
    }
}
