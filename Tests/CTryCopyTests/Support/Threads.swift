import Glibc
import Synchronization
import Testing

/// Runs `body` on `count` threads of their own, which set off together, and waits for them.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    final class Gate: Sendable {
        let isOpen = Atomic<Bool>(false)
    }
    final class Start: Sendable {
        let run: @Sendable () -> Void
        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
    let gate = Gate()
    var threads: [pthread_t] = []
    defer {
        gate.isOpen.store(true, ordering: .releasing)
        for thread in threads { pthread_join(thread, nil) }
    }
    for index in 0..<count {
        let start = Start {
            while !gate.isOpen.load(ordering: .acquiring) { sched_yield() }
            body(index)
        }
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(start)
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        try #require(result == 0)
        threads.append(thread)
    }
}

/// A pointer that threads of a test share.
struct SharedPointer: @unchecked Sendable {
    // SAFETY: the tests reach what it points to through the accessors alone, which are made for memory that others
    // write, and join their threads before the memory goes away.
    let raw: UnsafeMutableRawPointer
}
