import Glibc
import Synchronization
import Testing

/// Runs `body` on `count` threads of their own and waits for them.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    final class Start: Sendable {
        let run: @Sendable () -> Void
        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
    var threads: [pthread_t] = []
    defer { for thread in threads { pthread_join(thread, nil) } }
    for index in 0..<count {
        var thread = pthread_t()
        let start = Unmanaged.passRetained(Start { body(index) })
        let result = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, start.toOpaque())
        if result != 0 { start.release() }
        try #require(result == 0)
        threads.append(thread)
    }
}

/// How long a race may go on.
struct Deadline {
    private let end: ContinuousClock.Instant

    init(_ duration: Duration) {
        end = .now + duration
    }

    var hasPassed: Bool { ContinuousClock.now >= end }
}

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
