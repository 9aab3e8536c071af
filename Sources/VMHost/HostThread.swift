import CThreads
import Glibc
import SystemPackage

/// Threads of the monitor's own. They leave the program's signals to the threads of its caller.
package enum HostThread {
    /// Starts a thread, to be joined or detached.
    /// - Parameters:
    ///   - stackSize: in bytes.
    ///   - signals: which it receives, beside those that its own instructions cause.
    /// - Throws: what pthread_create(3) says.
    package static func start(
        stackSize: Int, receiving signals: [CInt] = [], _ body: @escaping @Sendable () -> Void
    ) throws(Errno) -> pthread_t {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        // Signals meant for the program never arrive on it. Those that its own instructions cause stay as they are.
        var blocked = sigset_t()
        sigfillset(&blocked)
        for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP] { sigdelset(&blocked, signal) }
        for signal in signals { sigdelset(&blocked, signal) }
        let refused = cthreads_set_signal_mask(&attributes, &blocked)
        guard refused == 0 else { throw Errno(rawValue: refused) }
        let context = Unmanaged.passRetained(Body(run: body))
        var created = pthread_t()
        let error = pthread_create(
            &created, &attributes,
            { context in
                // SAFETY: balances the retain above: each thread is given one body, and takes it here.
                let body = Unmanaged<Body>.fromOpaque(context!).takeRetainedValue()
                // Let go of at the end: before, it would make the allocator set itself up for this thread.
                withExtendedLifetime(body) { body.run() }
                return nil
            }, context.toOpaque())
        guard error == 0 else {
            context.release()
            throw Errno(rawValue: error)
        }
        return created
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }
}
