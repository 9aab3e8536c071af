import Glibc

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
