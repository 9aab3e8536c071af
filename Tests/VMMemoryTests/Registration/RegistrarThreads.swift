import Glibc
import VMHost

/// Threads for the race tests.
enum RegistrarThreads {
    /// Something that a thread expected and did not find.
    struct Unexpected: Error {
        let line: Int
    }

    /// What `#require` is to a test's own thread. An issue that another thread records is no test's; and recording takes
    /// locks, which would order the threads and hide races from the thread sanitizer.
    static func check(_ isMet: Bool, line: Int = #line) throws {
        if !isMet { throw Unexpected(line: line) }
    }

    /// Runs `body` on `count` threads of their own, waits for all, and throws what one of them threw.
    static func run(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        let failure = Failure()
        start(count) { index in
            do { try body(index) } catch { failure.record(error) }
        }
        try failure.check()
    }

    private static func start(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        guard count > 0 else { return }
        let thread = TestThread { body(count - 1) }
        start(count - 1, body)
        thread.join()
    }

    private final class Failure: Sendable {
        private let first = Monitor<(any Error)?>(nil)

        func record(_ error: any Error) {
            first.withLock { $0 = $0 ?? error }
        }

        func check() throws {
            if let error = first.withLock({ $0 }) { throw error }
        }
    }

    /// Waits until `condition` holds, for 20 seconds at most.
    /// - Returns: whether it does.
    static func wait(until condition: () -> Bool) -> Bool {
        for _ in 0..<20_000 {
            if condition() { return true }
            usleep(1000)
        }
        return condition()
    }
}
