import Glibc
import Synchronization
import TestSupport
import Testing
import VMHost

@Suite("The asymmetric barrier")
struct ProcessBarrierTests {
    /// Each on a cache line of its own.
    private final class Cells: @unchecked Sendable {
        // SAFETY: atomics that only `deinit` frees.
        private let memory: UnsafeMutablePointer<Atomic<Int>>
        private static let count = 1 << 22

        init() {
            memory = .allocate(capacity: Self.count)
            for index in 0..<Self.count { (memory + index).initialize(to: Atomic(0)) }
        }

        deinit {
            memory.deinitialize(count: Self.count).deallocate()
        }

        /// Keeps the store that follows from being seen for a while: a processor's stores become visible one after
        /// another, and these go to lines that no cache has.
        func delayStores(_ round: Int) {
            for index in 0..<8 {
                let line = (round * 8 + index) &* 0x9e37_79b9 % (Self.count / 16 - 8) + 8
                memory[line * 16].store(round, ordering: .relaxed)
            }
        }

        /// Spins until a cell has come to a number.
        /// - Returns: false where the time was up before.
        func wait(_ index: Int, for number: Int, _ deadline: Deadline) -> Bool {
            var spinCount = 0
            while self[index].pointee.load(ordering: .acquiring) < number {
                spinCount += 1
                guard spinCount.isMultiple(of: 1 << 10) else { continue }
                if deadline.hasPassed { return false }
                sched_yield()
            }
            return true
        }

        subscript(_ index: Int) -> UnsafeMutablePointer<Atomic<Int>> { memory + index * 16 }
    }

    @Test("Of two threads that each store, pass their half and look, one sees the other's store")
    func storeBuffering() {
        // Cells 0 and 1 are what is stored; 2 says how many rounds have begun, 3 what the light side saw.
        let cells = Cells()
        let rounds = 20_000
        let deadline = Deadline(.milliseconds(1000))
        let light = TestThread {
            for round in 1...rounds {
                guard cells.wait(2, for: round, deadline) else { return }
                cells.delayStores(round)
                cells[0].pointee.store(round, ordering: .relaxed)
                ProcessBarrier.light()
                let seen = cells[1].pointee.load(ordering: .relaxed)
                cells[3].pointee.store(round << 1 | (seen == round ? 1 : 0), ordering: .releasing)
            }
        }
        var missCount = 0
        for round in 1...rounds {
            cells[2].pointee.store(round, ordering: .releasing)
            // The other begins when it has noticed: meet it at another moment each time.
            for _ in 0..<(round &* 37 & 511) { _ = cells[1].pointee.load(ordering: .relaxed) }
            cells[1].pointee.store(round, ordering: .relaxed)
            ProcessBarrier.heavy()
            let isSeen = cells[0].pointee.load(ordering: .relaxed) == round
            guard cells.wait(3, for: round << 1, deadline) else { break }
            let hasSeen = cells[3].pointee.load(ordering: .relaxed) & 1 == 1
            if !isSeen, !hasSeen { missCount += 1 }
        }
        light.join()
        #expect(missCount == 0)
    }

    @Test("The same where the kernel has no membarrier(2)")
    func withoutMembarrier() async {
        await #expect(processExitsWith: .success) {
            forgoMembarrier()
            #expect(!ProcessBarrier.isAsymmetric)
            ProcessBarrierTests().storeBuffering()
        }
    }
}
