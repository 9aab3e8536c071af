import Glibc

/// SIGPIPE, which writing into a pipe without a reader raises beside returning EPIPE. Sockets can be written to without it.
enum BrokenPipeSignal {
    /// Runs `body` while the calling thread does not take the signal, and takes one back that came meanwhile.
    static func suppressed<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        var broken = sigset_t()
        var before = sigset_t()
        var pending = sigset_t()
        sigemptyset(&broken)
        sigaddset(&broken, SIGPIPE)
        // One that somebody else sent before stays pending.
        sigpending(&pending)
        let wasPending = sigismember(&pending, SIGPIPE) == 1
        pthread_sigmask(SIG_BLOCK, &broken, &before)
        defer {
            if !wasPending {
                var now = timespec()
                while sigtimedwait(&broken, nil, &now) < 0, errno == EINTR {}
            }
            pthread_sigmask(SIG_SETMASK, &before, nil)
        }
        try body()
    }
}
