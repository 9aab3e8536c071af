import Glibc
import Synchronization
import TestSupport
import Testing
import VMHost

@testable import VMMemory

@Suite("Readers racing those who replace the map", .serialized)
struct SnapshotStressTests {
    private typealias Memory = GuestMemoryAtomic<CanaryMap>

    /// A memory, readers that look whether their map is alive, and what they found.
    private final class Race: Sendable {
        let cage = CanaryCage()
        let memory: Memory
        private let deadline: Deadline
        private let deadReads = Atomic<Int>(0)
        private let reads = Atomic<Int>(0)

        init(milliseconds: Int = 400) {
            memory = Memory(cage.makeMap())
            deadline = Deadline(.milliseconds(milliseconds))
        }

        var isOver: Bool { deadline.hasPassed || cage.isFull }

        /// Looks at a map for a while.
        func look(at snapshot: borrowing MemorySnapshot<CanaryMap>) {
            let isFine = snapshot.withMap { map in
                let (number, content) = (map.number, map.content)
                for _ in 0..<20 {
                    guard cage.isAlive(number), map.number == number, map.content == content else { return false }
                }
                return true
            }
            if !isFine { deadReads.wrappingAdd(1, ordering: .relaxed) }
            reads.wrappingAdd(1, ordering: .relaxed)
        }

        func lookAtMemory() {
            look(at: memory.memory())
        }

        /// Nobody read a map that was freed, and all that were replaced are free now.
        func check() {
            #expect(deadReads.load(ordering: .relaxed) == 0)
            #expect(reads.load(ordering: .relaxed) > 0)
            #expect(cage.settles(at: 1))
            #expect(memory.memory().withMap { cage.isAlive($0.number) })
        }
    }

    @Test("Maps that are read stay alive, and replaced ones go, while writers replace them without end")
    func readersAndWriters() throws {
        let race = Race()
        try onThreads(5) { index in
            while !race.isOver {
                if index < 2 { race.memory.update { $0.makeNext() } } else { race.lookAtMemory() }
            }
        }
        race.check()
    }

    @Test("The same with ever more snapshots at a time on each thread")
    func nestedReaders() throws {
        @Sendable func look(_ race: Race, _ depth: Int) {
            let snapshot = race.memory.memory()
            if depth > 0 { look(race, depth - 1) }
            race.look(at: snapshot)
        }
        let race = Race()
        try onThreads(4) { index in
            var depth = 0
            while !race.isOver {
                depth = (depth + 1) % 20
                if index == 0 { race.memory.update { $0.makeNext() } } else { look(race, depth) }
            }
        }
        race.check()
    }

    @Test("The same with snapshots that are passed from thread to thread")
    func passedOn() throws {
        let race = Race()
        let parcel = SnapshotParcel<CanaryMap>()
        try onThreads(5) { index in
            while !race.isOver {
                switch index {
                case 0: race.memory.update { $0.makeNext() }
                case 1, 2: if parcel.count < 40 { parcel.put(BoxedSnapshot(race.memory)) }
                default: if let box = parcel.take() { race.look(at: box.snapshot) }
                }
            }
        }
        while let box = parcel.take() { race.look(at: box.snapshot) }
        race.check()
    }

    @Test("The same with threads that end, some of them before their snapshots are dropped")
    func shortThreads() throws {
        let race = Race()
        let parcel = SnapshotParcel<CanaryMap>()
        try onThreads(3) { index in
            while !race.isOver {
                if index == 0 {
                    race.memory.update { $0.makeNext() }
                    continue
                }
                TestThread {
                    race.lookAtMemory()
                    for _ in 0..<8 { parcel.put(BoxedSnapshot(race.memory)) }
                    race.lookAtMemory()
                }.join()
                while parcel.count > 20, let box = parcel.take() { race.look(at: box.snapshot) }
            }
        }
        while let box = parcel.take() { race.look(at: box.snapshot) }
        race.check()
    }

    @Test("The same with threads that wait for earlier readers, and maps that come back")
    func synchronizers() throws {
        let race = Race()
        let refusals = Atomic<Int>(0)
        try onThreads(6) { index in
            while !race.isOver {
                switch index {
                case 0:
                    let old = race.memory.memory().retained()
                    race.memory.update { $0.makeNext() }
                    race.memory.update { _ in old }
                    race.memory.update { $0.makeNext() }
                case 1, 2:
                    do { try race.memory.synchronize() } catch { refusals.wrappingAdd(1, ordering: .relaxed) }
                default: race.lookAtMemory()
                }
            }
        }
        #expect(refusals.load(ordering: .relaxed) == 0)
        race.check()
    }

    @Test("After each burst all replaced maps are free, without another change to set it going")
    func bursts() throws {
        let cage = CanaryCage()
        let memory = Memory(cage.makeMap())
        let deadline = Deadline(.milliseconds(600))
        while !deadline.hasPassed {
            try onThreads(3) { index in
                for _ in 0..<50 {
                    if index == 0 { memory.update { $0.makeNext() } }
                    _ = memory.memory().withMap { $0.content }
                }
            }
            guard cage.settles(at: 1) else {
                Issue.record("\(cage.livingCount) maps are alive where one is in force")
                return
            }
        }
    }

    @Test("A memory that ends leaves its snapshots alive, and nothing behind when they are gone")
    func memoryEnds() throws {
        let cage = CanaryCage()
        let deadline = Deadline(.milliseconds(400))
        let deadReads = Atomic<Int>(0)
        try onThreads(3) { _ in
            while !deadline.hasPassed, !cage.isFull {
                var boxes: [BoxedSnapshot<CanaryMap>] = []
                do {
                    let memory = Memory(cage.makeMap())
                    for _ in 0..<3 {
                        boxes.append(BoxedSnapshot(memory))
                        memory.update { $0.makeNext() }
                    }
                    boxes.append(BoxedSnapshot(memory))
                }
                let areAllAlive = boxes.allSatisfy { box in box.snapshot.withMap { cage.isAlive($0.number) } }
                if !areAllAlive { deadReads.wrappingAdd(1, ordering: .relaxed) }
            }
        }
        #expect(deadReads.load(ordering: .relaxed) == 0)
        #expect(cage.settles(at: 0))
    }

    @Test("Once it has waited, nobody acts on what was changed before, without a new map")
    func barrierForFlags() throws {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        let isAllowed = Atomic<Bool>(true)
        let actingCount = Atomic<Int>(0)
        let deadline = Deadline(.milliseconds(400))
        let failures = Atomic<Int>(0)
        let turns = Atomic<Int>(0)
        try onThreads(2) { index in
            while !deadline.hasPassed {
                guard index == 0 else {
                    memory.memory().withMap { _ in
                        guard isAllowed.load(ordering: .relaxed) else { return }
                        actingCount.wrappingAdd(1, ordering: .relaxed)
                        turns.wrappingAdd(1, ordering: .relaxed)
                        actingCount.wrappingSubtract(1, ordering: .relaxed)
                    }
                    continue
                }
                isAllowed.store(false, ordering: .relaxed)
                do { try memory.synchronize() } catch { failures.wrappingAdd(1, ordering: .relaxed) }
                for _ in 0..<20 where actingCount.load(ordering: .relaxed) != 0 {
                    failures.wrappingAdd(1, ordering: .relaxed)
                }
                isAllowed.store(true, ordering: .relaxed)
                sched_yield()
            }
        }
        #expect(failures.load(ordering: .relaxed) == 0)
        #expect(turns.load(ordering: .relaxed) > 0)
    }

    @Test("All of this holds where the kernel has no membarrier(2)")
    func withoutMembarrier() async {
        await #expect(processExitsWith: .success) {
            forgoMembarrier()
            let tests = SnapshotStressTests()
            try tests.readersAndWriters()
            try tests.nestedReaders()
            try tests.passedOn()
            try tests.shortThreads()
            try tests.synchronizers()
            try tests.bursts()
            try tests.memoryEnds()
            try tests.barrierForFlags()
        }
    }
}
