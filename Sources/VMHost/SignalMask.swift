import Glibc

/// Which signals the calling thread takes.
package enum SignalMask {
    /// Runs `body` while the thread takes no signal that can be kept from it; those that come meanwhile are taken afterwards.
    /// - Parameter signals: which it takes all the same.
    package static func withSignalsBlocked<Result, Failure: Error>(
        but signals: [CInt] = [], _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        for signal in signals { sigdelset(&all, signal) }
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        return try body()
    }
}
