import VMHost

/// Threads for the race tests.
enum AccessThreads {
    /// Runs each of `bodies` on a thread of its own, waits for all, and throws what one of them threw: an issue that a
    /// thread records by itself would be no test's.
    static func run(_ bodies: [@Sendable () throws -> Void]) throws {
        let failure = Failure()
        TestThread.runTogether(
            bodies.map { body in
                { do { try body() } catch { failure.record(error) } }
            })
        try failure.check()
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
}

/// What a test found wrong where it cannot say so itself: on a thread, or one access in a long run of them.
struct AccessFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
