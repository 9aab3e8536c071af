import Glibc
import Synchronization

/// The signals that end a run in order: interrupt, terminate, hang up, quit. Their handler passes them on through a pipe.
enum EndingSignals {
    private static let all = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    /// The pipe's address for the handler, which may do next to nothing; a pipe once handed over is kept for good.
    private static let pipe = Atomic<UInt>(0)

    /// From now on each such signal shows up in `pipe`, by its number. Those that were ignored stay so, as `nohup` wants.
    static func forward(to pipe: WakePipe) {
        let reference = Unmanaged.passRetained(pipe).toOpaque()
        Self.pipe.store(UInt(bitPattern: reference), ordering: .sequentiallyConsistent)
        for number in all {
            var action = sigaction()
            sigaction(number, nil, &action)
            guard unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) != 1 else { continue }
            action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                let saved = errno
                let address = EndingSignals.pipe.load(ordering: .sequentiallyConsistent)
                if let pointer = UnsafeRawPointer(bitPattern: address) {
                    // SAFETY: `forward` retained the pipe and nobody releases it.
                    Unmanaged<WakePipe>.fromOpaque(pointer)._withUnsafeGuaranteedRef {
                        $0.signal(UInt8(truncatingIfNeeded: number))
                    }
                }
                errno = saved
            }
            sigaction(number, &action, nil)
        }
    }

    /// From now on such a signal ends the program at once, as usual. Those that were ignored stay so.
    static func stopForwarding() {
        for number in all {
            var action = sigaction()
            sigaction(number, nil, &action)
            guard unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) != 1 else { continue }
            signal(number, SIG_DFL)
        }
    }
}
