import Synchronization
import TestSupport
import Testing
import VMHost

@testable import VMMemory

@Suite("Waiting for the readers of a memory map", .serialized)
struct SynchronizeTests {
    private typealias Memory = GuestMemoryAtomic<CanaryMap>

    /// A thread that waits for earlier snapshots.
    private final class Waiter: Sendable {
        private enum State {
            case waiting, done, refused
        }
        private let state = Monitor(State.waiting)

        var isWaiting: Bool { state.withLock { $0 == .waiting } }
        var isDone: Bool { state.withLock { $0 == .done } }

        /// Calls `body` once a thread waits in `synchronize`; then, that over, waits for its end.
        static func with(_ memory: Memory, _ body: (Waiter) -> Void) {
            let waiter = Waiter()
            let before = memory.current.load(ordering: .acquiring)
            let thread = TestThread {
                do {
                    try memory.synchronize()
                    waiter.state.change { $0 = .done }
                } catch {
                    waiter.state.change { $0 = .refused }
                }
            }
            // From then on snapshots are later ones.
            #expect(eventually { memory.current.load(ordering: .acquiring) != before })
            body(waiter)
            thread.join()
        }
    }

    @Test("Without readers it returns at once, and frees what was replaced")
    func withoutReaders() throws {
        let cage = CanaryCage(capacity: 8)
        let memory = GuestMemoryAtomic(cage.makeMap())
        try memory.synchronize()
        memory.update { $0.makeNext() }
        try memory.synchronize()
        #expect(cage.settles(at: 1))
    }

    @Test("It waits for a snapshot of a map that has been replaced")
    func replacedMap() {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        SnapshotHolder.with(memory) { holder in
            memory.update { $0.makeNext() }
            memory.update { $0.makeNext() }
            Waiter.with(memory) { waiter in
                #expect(staysFor(milliseconds: 30) { waiter.isWaiting })
                holder.drop()
                #expect(eventually { waiter.isDone })
            }
        }
        #expect(cage.settles(at: 1))
    }

    @Test("It waits for an earlier snapshot of the map in force, and not for a later one")
    func mapInForce() {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        SnapshotHolder.with(memory) { earlier in
            Waiter.with(memory) { waiter in
                SnapshotHolder.with(memory) { later in
                    #expect(staysFor(milliseconds: 30) { waiter.isWaiting })
                    earlier.drop()
                    #expect(eventually { waiter.isDone })
                    #expect(!later.hasDropped)
                }
            }
        }
    }

    @Test("It does not wait for a later snapshot, be its map replaced or the same as an earlier one")
    func laterSnapshots() {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        let first = memory.memory().retained()
        SnapshotHolder.with(memory) { earlier in
            memory.update { $0.makeNext() }
            Waiter.with(memory) { waiter in
                SnapshotHolder.with(memory) { ofReplaced in
                    memory.update { _ in first }
                    SnapshotHolder.with(memory) { ofSame in
                        #expect(staysFor(milliseconds: 30) { waiter.isWaiting })
                        earlier.drop()
                        #expect(eventually { waiter.isDone })
                        #expect(!ofReplaced.hasDropped && !ofSame.hasDropped)
                    }
                }
            }
        }
        #expect(cage.settles(at: 1))
    }

    @Test("It waits for a snapshot that its thread passed to another")
    func passedOn() {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        let parcel = SnapshotParcel<CanaryMap>()
        TestThread { parcel.put(BoxedSnapshot(memory)) }.join()
        Waiter.with(memory) { waiter in
            #expect(staysFor(milliseconds: 30) { waiter.isWaiting })
            _ = parcel.take()
            #expect(eventually { waiter.isDone })
        }
    }

    @Test("It does not wait for snapshots of another memory, nor for maps that were retained")
    func others() throws {
        let cage = CanaryCage(capacity: 8)
        let (memory, other) = (Memory(cage.makeMap()), Memory(cage.makeMap()))
        let kept = memory.memory().retained()
        let mine = other.memory()
        SnapshotHolder.with(other) { holder in
            #expect(throws: Never.self) { try memory.synchronize() }
            #expect(!holder.hasDropped)
        }
        #expect(kept.content == mine.withMap { $0.content })
    }

    @Test("It throws where the caller itself holds a snapshot, of the map in force or an earlier one")
    func heldByCaller() throws {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        var box: BoxedSnapshot? = BoxedSnapshot(memory)
        #expect(throws: SnapshotHeldByCaller.self) { try memory.synchronize() }
        memory.update { $0.makeNext() }
        #expect(throws: SnapshotHeldByCaller.self) { try memory.synchronize() }
        #expect(box?.snapshot.withMap { cage.isAlive($0.number) } == true)
        box = nil
        try memory.synchronize()
        #expect(cage.settles(at: 1))
        #expect("\(SnapshotHeldByCaller())".contains("the calling thread"))
    }

    @Test("A caller is found to hold one also in the last of many slots")
    func heldInLaterBlock() throws {
        let cage = CanaryCage(capacity: 8)
        let (memory, other) = (Memory(cage.makeMap()), Memory(cage.makeMap()))
        let others = (0..<20).map { _ in BoxedSnapshot(other) }
        var box: BoxedSnapshot? = BoxedSnapshot(memory)
        #expect(throws: SnapshotHeldByCaller.self) { try memory.synchronize() }
        box = nil
        #expect(box == nil && others.count == 20)
        try memory.synchronize()
    }

    @Test("However often it throws, it goes on waiting for others")
    func throwsOften() {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        SnapshotHolder.with(memory) { holder in
            do {
                let mine = BoxedSnapshot(memory)
                // As many as would turn the order of the tags round.
                for _ in 0..<40_000 { try? memory.synchronize() }
                #expect(mine.snapshot.withMap { $0.content } == 0)
            }
            Waiter.with(memory) { waiter in
                #expect(staysFor(milliseconds: 30) { waiter.isWaiting })
                holder.drop()
            }
        }
    }

    @Test("With a timeout it waits no longer, and tells whether all have gone")
    func timeout() throws {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        #expect(try memory.synchronize(waitingUpTo: .zero))
        try SnapshotHolder.with(memory) { holder throws in
            memory.update { $0.makeNext() }
            #expect(try !memory.synchronize(waitingUpTo: .zero))
            let start = MonotonicTime.now
            #expect(try !memory.synchronize(waitingUpTo: .milliseconds(20)))
            #expect(MonotonicTime.now - start >= .milliseconds(20))
            // Later readers are no matter, but earlier ones are, also those that a call gave up on.
            let mine = BoxedSnapshot(memory)
            #expect(throws: SnapshotHeldByCaller.self) { try memory.synchronize(waitingUpTo: .zero) }
            #expect(mine.snapshot.withMap { $0.content } == 1)
            holder.drop()
        }
        #expect(try memory.synchronize(waitingUpTo: .seconds(3600)))
        #expect(try memory.synchronize(waitingUpTo: .zero))
        #expect(cage.settles(at: 1))
    }

    @Test("However often it gives up on a reader, it goes on waiting for it and others", arguments: [false, true])
    func givesUpOften(_ replacesMap: Bool) throws {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        try SnapshotHolder.with(memory) { holder throws in
            if replacesMap { memory.update { $0.makeNext() } }
            // As many as would turn the order of the tags round.
            var count = 0
            for _ in 0..<40_000 where try memory.synchronize(waitingUpTo: .zero) { count += 1 }
            #expect(count == 0)
            let isDone = SharedNumber()
            let thread = TestThread { isDone.value = (try? memory.synchronize()) == nil ? 2 : 1 }
            #expect(staysFor(milliseconds: 30) { isDone.value == 0 })
            holder.drop()
            thread.join()
            #expect(isDone.value == 1)
        }
        #expect(try memory.synchronize(waitingUpTo: .zero))
    }

    @Test("It can be called while the map is locked")
    func whileLocked() throws {
        let cage = CanaryCage(capacity: 8)
        let memory = Memory(cage.makeMap())
        let update = memory.lock()
        try memory.synchronize()
        update.replace(with: cage.makeMap(content: 1))
        #expect(memory.memory().withMap { $0.content } == 1)
    }

    @Test("Tags order words of all addresses, also where they wrap around")
    func tags() {
        var word = SnapshotWord(rawValue: 0x7fff_ffff_fff0)
        for _ in 0..<70_000 {
            let next = word.next.with(pointer: 0x5555_0000_0010)
            let later = next.next.next.with(pointer: 0x10)
            guard next.pointer == 0x5555_0000_0010, word.precedes(next), word.precedes(later), next.precedes(later),
                !next.precedes(word), !later.precedes(word), !next.precedes(next.with(pointer: 0x7fff_0000_0000))
            else {
                Issue.record("after \(String(word.rawValue, radix: 16))")
                return
            }
            word = word.next
        }
    }
}
