import Glibc
import KVM
import Synchronization
import VMHost

/// One virtual CPU of a running machine: the vCPU, its thread, and the trace of its exits.
final class Processor: Sendable {
    let index: Int
    let vcpu: VCPU
    let trace = ExitTrace()
    private let thread = Mutex<pthread_t?>(nil)

    /// Enough for the run loop and the devices it calls; the rest of the monitor runs on threads of the caller.
    private static let stackSize = 256 << 10

    init(index: Int, vcpu: consuming VCPU) {
        self.index = index
        self.vcpu = vcpu
    }

    deinit {
        // A thread that nobody joined ends by itself.
        thread.withLock { thread in
            if let thread { pthread_detach(thread) }
        }
    }

    /// Starts the thread, which runs `body` and ends. It handles no signal but the kick.
    func start(_ body: @escaping @Sendable () -> Void) throws(MachineError) {
        KickSignal.install
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, Self.stackSize)
        let start = Unmanaged.passRetained(ThreadBody(run: body))
        var created = pthread_t()
        let error = withAllSignalsBlockedButKick {
            pthread_create(
                &created, &attributes,
                { context in
                    // SAFETY: balances the retain above: each thread is given one body, and takes it here.
                    let body = Unmanaged<ThreadBody>.fromOpaque(context!).takeRetainedValue()
                    // Let go of at the end: before, it would make the allocator set itself up for this thread.
                    withExtendedLifetime(body) { body.run() }
                    return nil
                }, start.toOpaque())
        }
        guard error == 0 else {
            start.release()
            throw .thread(error)
        }
        thread.withLock { $0 = created }
    }

    /// Makes the thread leave the guest and look at what is asked of it.
    func kick() {
        vcpu.requestExit()
        thread.withLock { thread in
            if let thread { KickSignal.send(to: thread) }
        }
    }

    /// Waits for the thread to end. Afterwards the vCPU may be called from this thread.
    func join() {
        let ended = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let ended { pthread_join(ended, nil) }
    }

    /// How much CPU time the thread has used; nil when it does not run.
    var cpuTime: MonotonicTime? {
        thread.withLock { thread in
            var clock = clockid_t()
            guard let thread, pthread_getcpuclockid(thread, &clock) == 0 else { return nil }
            return MonotonicTime(clock: clock)
        }
    }
}

/// What a new thread is to do.
private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

/// A thread inherits the signal mask of its creator: with these blocked, signals meant for the program never arrive on
/// it. Those that its own instructions cause stay as they are.
private func withAllSignalsBlockedButKick<Result>(_ body: () -> Result) -> Result {
    var blocked = sigset_t()
    var previous = sigset_t()
    sigfillset(&blocked)
    for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, KickSignal.number] { sigdelset(&blocked, signal) }
    pthread_sigmask(SIG_SETMASK, &blocked, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    return body()
}
