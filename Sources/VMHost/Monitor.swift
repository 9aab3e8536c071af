import Glibc

/// A value, the mutex around it, and the condition variable that its waiters sleep on: `Synchronization.Mutex` has none,
/// and is one that the thread sanitizer does not know.
package struct Monitor<State: ~Copyable>: ~Copyable, @unchecked Sendable {
    // SAFETY: the state is only touched with the mutex held. All three keep their addresses until `deinit`, which runs
    // once nobody borrows the value any more.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private let state: UnsafeMutablePointer<State>

    package init(_ initial: consuming sending State) {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        state = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        state.initialize(to: initial)
    }

    deinit {
        state.deinitialize(count: 1)
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        state.deallocate()
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` with the mutex held.
    package func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state.pointee)
    }

    /// The same, then wakes the waiters so that they look at the state again.
    package func change<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { pthread_cond_broadcast(condition) }
        return try withLock(body)
    }

    /// Sleeps until `body`, called with the mutex held at first and after each change, returns a value or throws.
    package func wait<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result?
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            // Not with `body` around the sleep: it has the state to itself only while it runs.
            if let result = try body(&state.pointee) { return result }
            pthread_cond_wait(condition, mutex)
        }
    }

    /// Sleeps until `body`, called with the mutex held at first and after each change, returns a value or throws.
    /// - Parameter deadline: nil to wait for ever.
    /// - Returns: that value, or nil once `deadline` has passed.
    package func wait<Result, Failure: Error>(
        until deadline: MonotonicTime?, _ body: (inout State) throws(Failure) -> Result?
    ) throws(Failure) -> Result? {
        guard let deadline else { return try wait(body) }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var time = deadline.timespec
        while true {
            if let result = try body(&state.pointee) { return result }
            if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return try body(&state.pointee) }
        }
    }
}
