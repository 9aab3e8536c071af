import Glibc
import Synchronization
import VMHost

/// A thread that runs a closure.
public struct TestThread: ~Copyable {
    private let thread: pthread_t

    public init(_ body: @escaping @Sendable () -> Void) {
        final class Start: Sendable {
            let run: @Sendable () -> Void
            init(_ run: @escaping @Sendable () -> Void) { self.run = run }
        }
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, Unmanaged.passRetained(Start(body)).toOpaque())
        precondition(result == 0, "cannot start a thread: errno \(result)")
        self.thread = thread
    }

    /// Waits for its end.
    public consuming func join() {
        pthread_join(thread, nil)
    }

    /// Runs each on a thread of its own and waits for all.
    public static func runTogether(_ bodies: [@Sendable () -> Void]) {
        guard let first = bodies.first else { return }
        let thread = TestThread(first)
        runTogether(Array(bodies.dropFirst()))
        thread.join()
    }
}

/// Runs `body` with each number below `count`, on a thread each, all of which set off together; waits for them, and throws
/// what one of them threw. An issue that such a thread records by itself would be no test's; and recording takes locks,
/// which would order the threads and hide races from the thread sanitizer.
public func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    try onThreads((0..<count).map { index in { try body(index) } })
}

/// The same with a closure for each thread.
public func onThreads(_ bodies: [@Sendable () throws -> Void]) throws {
    let race = Race(bodies.count)
    TestThread.runTogether(
        bodies.map { body in
            {
                race.setOff()
                do { try body() } catch { race.record(error) }
            }
        })
    if let failure = race.failure { throw failure }
}

private final class Race: Sendable {
    private let missing: Atomic<Int>
    private let first = Monitor<(any Error)?>(nil)

    init(_ count: Int) {
        missing = Atomic(count)
    }

    var failure: (any Error)? { first.withLock { $0 } }

    /// Waits until all are here.
    func setOff() {
        missing.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        while missing.load(ordering: .acquiring) > 0 { sched_yield() }
    }

    func record(_ error: any Error) {
        first.withLock { $0 = $0 ?? error }
    }
}
