import Synchronization
import Testing
import VMHost

@Suite("The asymmetric barrier")
struct ProcessBarrierTests {
    /// Each on a cache line of its own.
    private final class Cells: @unchecked Sendable {
        // SAFETY: atomics that only `deinit` frees.
        private let memory = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: 64)

        init() {
            for index in 0..<64 { (memory + index).initialize(to: Atomic(0)) }
        }

        deinit {
            memory.deinitialize(count: 64).deallocate()
        }

        subscript(_ index: Int) -> UnsafeMutablePointer<Atomic<Int>> { memory + index * 16 }
    }

    @Test("Of two threads that each store, pass their half and look, one sees the other's store")
    func storeBuffering() {
        let cells = Cells()
        let rounds = 20_000
        let time = RaceTime(milliseconds: 1000)
        let missCount = Atomic<Int>(0)
        // Cells 0 and 1 are what is stored; 2 says how many rounds have begun, 3 what the light side saw.
        let light = TestThread {
            for round in 1...rounds {
                while cells[2].pointee.load(ordering: .acquiring) < round { if time.isUp { return } }
                cells[0].pointee.store(round, ordering: .relaxed)
                ProcessBarrier.light()
                let seen = cells[1].pointee.load(ordering: .relaxed)
                cells[3].pointee.store(round * 2 + (seen == round ? 1 : 0), ordering: .releasing)
            }
        }
        for round in 1...rounds where !time.isUp {
            cells[2].pointee.store(round, ordering: .releasing)
            // At other distances each time.
            for _ in 0..<(round & 63) { _ = cells[2].pointee.load(ordering: .relaxed) }
            cells[1].pointee.store(round, ordering: .relaxed)
            ProcessBarrier.heavy()
            let isSeen = cells[0].pointee.load(ordering: .relaxed) == round
            var answer = 0
            repeat { answer = cells[3].pointee.load(ordering: .acquiring) } while answer < round * 2 && !time.isUp
            if answer == round * 2, !isSeen { missCount.wrappingAdd(1, ordering: .relaxed) }
        }
        light.join()
        #expect(missCount.load(ordering: .relaxed) == 0)
    }
}
