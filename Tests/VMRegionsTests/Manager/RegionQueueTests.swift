import Glibc
import Synchronization
import TestSupport
import Testing
import VMHost

@testable import VMRegions

@Suite("The queue of a region manager's requests")
struct RegionQueueTests {
    @Test("Jobs run one after the other, in the order in which they came, on one thread")
    func order() {
        let queue = RegionQueue()
        let seen = Monitor<[Int]>([])
        let threads = Monitor<Set<UInt>>([])
        for index in 0..<100 {
            queue.enqueue {
                threads.withLock { _ = $0.insert(UInt(pthread_self())) }
                seen.change { $0.append(index) }
            }
        }
        #expect(seen.wait { $0.count == 100 ? $0 : nil } == Array(0..<100))
        #expect(threads.withLock { $0.count } == 1)
        #expect(!threads.withLock { $0.contains(UInt(pthread_self())) })
    }

    @Test("Who takes a turn waits for the jobs that came before, and keeps later ones waiting")
    func turns() {
        let queue = RegionQueue()
        let seen = Monitor<[String]>([])
        queue.enqueue {
            usleep(20_000)
            seen.change { $0.append("job") }
        }
        queue.withTurn {
            #expect(queue.isHeldByCaller)
            queue.enqueue { seen.change { $0.append("later job") } }
            usleep(20_000)
            seen.change { $0.append("turn") }
        }
        #expect(!queue.isHeldByCaller)
        #expect(seen.wait { $0.count == 3 ? $0 : nil } == ["job", "turn", "later job"])
    }

    @Test("A turn ends when what was done in it throws")
    func throwing() {
        struct Failure: Error {}
        let queue = RegionQueue()
        #expect(throws: Failure.self) { try queue.withTurn { () throws(Failure) in throw Failure() } }
        #expect(queue.withTurn { queue.isHeldByCaller })
    }

    @Test("Only the thread whose turn it is holds the queue")
    func holder() {
        let queue = RegionQueue()
        let isHeld = Monitor<Bool?>(nil)
        queue.withTurn {
            let thread = TestThread { isHeld.change { $0 = queue.isHeldByCaller } }
            thread.join()
        }
        #expect(isHeld.withLock(\.self) == false)
    }

    @Test("A job that comes when the thread has gone is run by another")
    func idle() {
        let queue = RegionQueue(idleTime: .milliseconds(1))
        let seen = Monitor(0)
        for count in 1...20 {
            queue.enqueue { seen.change { $0 += 1 } }
            seen.wait { $0 == count ? () : nil }
            // Before, while and after the thread ends.
            usleep(UInt32(count) * 150)
        }
    }

    @Test("A turn within a turn is had at once, and does not end the outer one")
    func nestedTurns() {
        let queue = RegionQueue()
        let seen = Monitor<[String]>([])
        queue.withTurn {
            queue.enqueue { seen.change { $0.append("job") } }
            #expect(queue.withTurn { queue.withTurn { 3 } } == 3)
            #expect(queue.isHeldByCaller)
            usleep(10_000)
            seen.change { $0.append("turn") }
        }
        #expect(seen.wait { $0.count == 2 ? $0 : nil } == ["turn", "job"])
    }

    @Test("Where the host has no room for a thread, jobs are left to who takes the next turn, before and after it")
    func noThread() {
        let queue = RegionQueue(stackSize: 1 << 48)
        let seen = Monitor<[String]>([])
        queue.enqueue { seen.withLock { $0.append("first") } }
        // Who asks for it may be waited for by the job.
        #expect(seen.withLock(\.self) == [])
        queue.withTurn {
            queue.enqueue {
                seen.withLock { $0.append("later") }
                queue.enqueue { seen.withLock { $0.append("last") } }
            }
            seen.withLock { $0.append("in turn") }
        }
        #expect(seen.withLock(\.self) == ["first", "in turn", "later", "last"])
    }

    @Test("Where the host has no room for a thread, a job is seen to by who waits for a turn after it")
    func forsakenJob() {
        let queue = RegionQueue(stackSize: 1 << 48)
        let seen = Monitor<[String]>([])
        let isStarted = SharedNumber()
        // Each asks while the test has its turn, and in this order.
        let before = TestThread {
            while isStarted.value == 0 { usleep(100) }
            queue.withTurn { seen.change { $0.append("turn") } }
        }
        let after = TestThread {
            while isStarted.value < 2 { usleep(100) }
            queue.withTurn { seen.change { $0.append("other turn") } }
        }
        queue.withTurn {
            isStarted.value = 1
            usleep(20_000)
            queue.enqueue { seen.change { $0.append("job") } }
            isStarted.value = 2
            usleep(20_000)
        }
        before.join()
        after.join()
        #expect(seen.withLock(\.self) == ["turn", "job", "other turn"])
    }

    @Test("Where the host has no room for a thread, what is awaited happens all the same")
    func awaitedWithoutThread() async throws {
        actor Counter {
            let queue = RegionQueue(stackSize: 1 << 48)
            var count = 0
            nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }
            func add() -> Int {
                count += 1
                return count
            }
        }
        let counter = Counter()
        #expect(await counter.add() == 1)
        #expect(await counter.add() == 2)
    }

    @Test("What is to be run later waits for its time, and for its turn; only the last of it is kept")
    func later() {
        let queue = RegionQueue(idleTime: .zero)
        let seen = Monitor<[String]>([])
        let start = MonotonicTime.now
        queue.runLater(after: .seconds(3600)) { seen.change { $0.append("never") } }
        queue.enqueue { seen.change { $0.append("job") } }
        queue.withTurn {
            queue.runLater(after: .milliseconds(20)) { seen.change { $0.append("later") } }
            usleep(40_000)
            seen.change { $0.append("turn") }
        }
        #expect(seen.wait { $0.count == 3 ? $0 : nil } == ["job", "turn", "later"])
        #expect(MonotonicTime.now - start >= .milliseconds(20))
        queue.runLater(after: .milliseconds(5)) { seen.change { $0.append("cancelled") } }
        queue.cancelLater()
        usleep(20_000)
        #expect(seen.withLock(\.count) == 3)
    }

    @Test("Turns and jobs of many threads are all run, and never two at once")
    func race() throws {
        let queue = RegionQueue(idleTime: .zero)
        let inside = Atomic(0)
        let done = Monitor(0)
        let overlaps = SharedNumber()
        let work: @Sendable () -> Void = {
            if inside.wrappingAdd(1, ordering: .relaxed).newValue != 1 { overlaps.add(1) }
            inside.wrappingSubtract(1, ordering: .relaxed)
            done.change { $0 += 1 }
        }
        try onThreads(4) { _ in
            for index in 0..<500 { if index.isMultiple(of: 2) { queue.enqueue(work) } else { queue.withTurn(work) } }
        }
        done.wait { $0 == 2000 ? () : nil }
        #expect(overlaps.value == 0)
    }
}
