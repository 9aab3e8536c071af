import Glibc

/// The signal that makes a thread leave `KVM_RUN`, or another blocking call, with `EINTR`. It does nothing else.
enum KickSignal {
    /// The first real-time signal that the C library leaves to programs.
    static var number: Int32 { __libc_current_sigrtmin() }

    /// Installs the empty handler, once for the process. Without it the signal would end the process.
    static let install: Void = {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        sigaction(number, &action, nil)
    }()

    static func send(to thread: pthread_t) {
        pthread_kill(thread, number)
    }
}
