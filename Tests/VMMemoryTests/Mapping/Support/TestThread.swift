import Glibc

/// A thread that runs a closure.
struct TestThread: ~Copyable {
    private let thread: pthread_t

    init(_ body: @escaping @Sendable () -> Void) {
        final class Box: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, Unmanaged.passRetained(Box(body)).toOpaque())
        self.thread = thread
    }

    /// Waits for its end.
    consuming func join() {
        pthread_join(thread, nil)
    }
}

/// A small generator whose sequence a seed determines (SplitMix64), so that a failing run can be had again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

extension TestThread {
    /// Runs each on a thread of its own and waits for all.
    static func runTogether(_ bodies: [@Sendable () -> Void]) {
        guard let first = bodies.first else { return }
        let thread = TestThread(first)
        runTogether(Array(bodies.dropFirst()))
        thread.join()
    }
}
