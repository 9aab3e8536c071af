import Glibc
import SystemPackage

/// Threads of the monitor's own. They leave the program's signals to the threads of its caller.
package enum HostThread {
    /// What a thread does. An object, so that its maker can keep it: who lets go of it last frees it, and a thread that
    /// frees memory has the allocator set itself up for it, which takes longer than a short errand.
    package final class Body: Sendable {
        fileprivate let run: @Sendable () -> Void

        package init(_ run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }

    /// Starts a thread, to be joined or detached.
    /// - Parameters:
    ///   - stackSize: in bytes.
    ///   - signals: which it receives, beside those that its own instructions cause.
    /// - Throws: what pthread_create(3) says.
    package static func start(
        stackSize: Int, receiving signals: [CInt] = [], _ body: @escaping @Sendable () -> Void
    ) throws(Errno) -> pthread_t {
        try start(stackSize: stackSize, receiving: signals, Body(body))
    }

    /// The same.
    package static func start(
        stackSize: Int, receiving signals: [CInt] = [], _ body: Body
    ) throws(Errno) -> pthread_t {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        let context = Unmanaged.passRetained(body)
        var created = pthread_t()
        let error = withSignalsBlocked(but: signals) {
            pthread_create(
                &created, &attributes,
                { context in
                    // SAFETY: balances the retain above: each thread is given one body, and takes it here.
                    let body = Unmanaged<Body>.fromOpaque(context!).takeRetainedValue()
                    withExtendedLifetime(body) { body.run() }
                    return nil
                }, context.toOpaque())
        }
        guard error == 0 else {
            context.release()
            throw Errno(rawValue: error)
        }
        return created
    }

    /// A thread inherits the signal mask of its creator: with these blocked, signals meant for the program never arrive
    /// on it. Those that its own instructions cause stay as they are.
    private static func withSignalsBlocked<Result>(but signals: [CInt], _ body: () -> Result) -> Result {
        var blocked = sigset_t()
        var previous = sigset_t()
        sigfillset(&blocked)
        for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP] + signals { sigdelset(&blocked, signal) }
        pthread_sigmask(SIG_SETMASK, &blocked, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        return body()
    }
}
