import Glibc

/// A value, the mutex around it, and the condition variable that its waiters sleep on: `Synchronization.Mutex` has none,
/// and is one that the thread sanitizer does not know.
@frozen
@usableFromInline
package struct Monitor<State: ~Copyable>: ~Copyable, @unchecked Sendable {
    // SAFETY: the state is only touched with the mutex held. All three keep their addresses until `deinit`, which runs
    // once nobody borrows the value any more.
    @usableFromInline let contents: UnsafeMutablePointer<MonitorContents<State>>

    @inlinable
    package init(_ initial: consuming sending State) {
        contents = .allocate(capacity: 1)
        contents.initialize(to: MonitorContents(state: initial))
        monitorInitialize(&contents.pointee.mutex, &contents.pointee.condition)
    }

    @inlinable
    deinit {
        pthread_cond_destroy(&contents.pointee.condition)
        pthread_mutex_destroy(&contents.pointee.mutex)
        contents.deinitialize(count: 1)
        contents.deallocate()
    }

    /// Runs `body` with the mutex held.
    @inlinable
    package func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(&contents.pointee.mutex)
        defer { pthread_mutex_unlock(&contents.pointee.mutex) }
        return try body(&contents.pointee.state)
    }

    /// The same, then wakes the waiters so that they look at the state again.
    @inlinable
    package func change<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { pthread_cond_broadcast(&contents.pointee.condition) }
        return try withLock(body)
    }

    /// Wakes the waiters, after a change of the state without that.
    @inlinable
    package func wake() {
        pthread_cond_broadcast(&contents.pointee.condition)
    }

    /// Sleeps until `body`, called with the mutex held at first and after each change, returns a value or throws.
    @inlinable
    package func wait<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result?
    ) throws(Failure) -> Result {
        pthread_mutex_lock(&contents.pointee.mutex)
        defer { pthread_mutex_unlock(&contents.pointee.mutex) }
        while true {
            // Not with `body` around the sleep: it has the state to itself only while it runs.
            if let result = try body(&contents.pointee.state) { return result }
            pthread_cond_wait(&contents.pointee.condition, &contents.pointee.mutex)
        }
    }

    /// Sleeps until `body`, called with the mutex held at first and after each change, returns a value or throws.
    /// - Parameter deadline: nil to wait for ever.
    /// - Returns: that value, or nil once `deadline` has passed.
    @inlinable
    package func wait<Result, Failure: Error>(
        until deadline: MonotonicTime?, _ body: (inout State) throws(Failure) -> Result?
    ) throws(Failure) -> Result? {
        guard let deadline else { return try wait(body) }
        pthread_mutex_lock(&contents.pointee.mutex)
        defer { pthread_mutex_unlock(&contents.pointee.mutex) }
        var time = deadline.timespec
        while true {
            if let result = try body(&contents.pointee.state) { return result }
            if pthread_cond_timedwait(&contents.pointee.condition, &contents.pointee.mutex, &time) == ETIMEDOUT {
                return try body(&contents.pointee.state)
            }
        }
    }
}

/// What a `Monitor` points at.
@frozen
@usableFromInline
package struct MonitorContents<State: ~Copyable>: ~Copyable {
    @usableFromInline var mutex = pthread_mutex_t()
    @usableFromInline var condition = pthread_cond_t()
    @usableFromInline var state: State

    @inlinable
    init(state: consuming State) {
        self.state = state
    }
}

@usableFromInline
func monitorInitialize(
    _ mutex: UnsafeMutablePointer<pthread_mutex_t>, _ condition: UnsafeMutablePointer<pthread_cond_t>
) {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
}
