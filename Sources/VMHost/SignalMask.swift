import Glibc

/// Which signals the calling thread takes.
package enum SignalMask {
    /// Runs `body` while the thread takes no signal that can be kept from it; those that come meanwhile are taken afterwards.
    package static func withSignalsBlocked<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        return try body()
    }
}
