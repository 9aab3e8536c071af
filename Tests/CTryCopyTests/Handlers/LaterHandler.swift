import Glibc
import Synchronization
import Testing

/// A handler installed over the one in force, which it passes everything on to. One per process.
enum LaterHandler {
    static var callCount: Int { calls.load(ordering: .relaxed) }

    private static let calls = Atomic<Int>(0)
    // SAFETY: written before the handler that reads it is in force, by the only thread of the test that does.
    private nonisolated(unsafe) static var replaced = sigaction()

    static func install(for signal: Int32) throws {
        try #require(callCount == 0)
        try #require(sigaction(signal, nil, &replaced) == 0)
        var action = sigaction()
        action.sa_flags = SA_SIGINFO
        action.__sigaction_handler.sa_sigaction = { signal, information, context in
            LaterHandler.calls.wrappingAdd(1, ordering: .relaxed)
            LaterHandler.replaced.__sigaction_handler.sa_sigaction?(signal, information, context)
        }
        try #require(sigaction(signal, &action, nil) == 0)
    }
}
