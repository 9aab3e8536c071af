import Glibc
import Synchronization

/// Where a number of threads wait for each other, again and again.
final class Rendezvous: Sendable {
    private let count: Int
    private let arrived = Atomic<Int>(0)
    private let round = Atomic<Int>(0)

    init(_ count: Int) {
        self.count = count
    }

    /// Lets `looks` looks at memory go by: some nanoseconds each.
    func pause(_ looks: UInt64) {
        for _ in 0..<looks { _ = round.load(ordering: .relaxed) }
    }

    func wait() {
        let round = round.load(ordering: .sequentiallyConsistent)
        if arrived.add(1, ordering: .sequentiallyConsistent).newValue == count {
            arrived.store(0, ordering: .sequentiallyConsistent)
            self.round.add(1, ordering: .sequentiallyConsistent)
        } else {
            var looks = 0
            while self.round.load(ordering: .acquiring) == round {
                // Who waits on a processor of its own leaves at once; else the others need this one.
                looks += 1
                if looks > 2000 { sched_yield() }
            }
        }
    }
}
