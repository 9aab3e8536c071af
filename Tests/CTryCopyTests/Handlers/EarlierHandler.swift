import Glibc
import Synchronization
import Testing

/// A handler as another part of the program may have installed it. It records its calls, and mends the mapping so that
/// the access that faulted succeeds when it is tried again. One per process: tests of it run in children of their own.
enum EarlierHandler {
    enum Kind { case detailed, plain }

    /// What it has seen: how often it was called, and with what it was last.
    struct Record: Equatable {
        var calls: Int
        var signal: Int32
        var code: Int32
        var address: UInt
        var ownSignalWasBlocked: Bool
        var userSignalWasBlocked: Bool
    }

    static var record: Record {
        Record(
            calls: calls.load(ordering: .relaxed), signal: signal.load(ordering: .relaxed),
            code: code.load(ordering: .relaxed), address: address.load(ordering: .relaxed),
            ownSignalWasBlocked: ownSignalWasBlocked.load(ordering: .relaxed),
            userSignalWasBlocked: userSignalWasBlocked.load(ordering: .relaxed))
    }

    private static let calls = Atomic<Int>(0)
    private static let signal = Atomic<Int32>(0)
    private static let code = Atomic<Int32>(0)
    private static let address = Atomic<UInt>(0)
    private static let ownSignalWasBlocked = Atomic<Bool>(false)
    private static let userSignalWasBlocked = Atomic<Bool>(false)
    /// The page to be made accessible; 0 for none.
    private static let mended = Atomic<UInt>(0)

    /// Makes it the action of a signal, with SIGUSR1 in its mask.
    static func install(_ kind: Kind, for signal: Int32, mending page: UnsafeMutableRawPointer?, flags: Int = 0) throws
    {
        // Reading makes every variable now: a handler must not be the first to reach a lazy one.
        try #require(record.calls == 0)
        mended.store(UInt(bitPattern: page), ordering: .relaxed)

        var action = sigaction()
        action.sa_flags = Int32(truncatingIfNeeded: flags)
        switch kind {
        case .plain:
            action.__sigaction_handler.sa_handler = { EarlierHandler.handle($0) }
        case .detailed:
            action.sa_flags |= SA_SIGINFO
            action.__sigaction_handler.sa_sigaction = { signal, information, _ in
                guard let information else { return }
                let address = information.pointee._sifields._sigfault.si_addr
                EarlierHandler.code.store(information.pointee.si_code, ordering: .relaxed)
                EarlierHandler.address.store(UInt(bitPattern: address), ordering: .relaxed)
                EarlierHandler.handle(signal)
            }
        }
        sigemptyset(&action.sa_mask)
        sigaddset(&action.sa_mask, SIGUSR1)
        try #require(sigaction(signal, &action, nil) == 0)
    }

    private static func handle(_ number: Int32) {
        var blocked = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &blocked)
        ownSignalWasBlocked.store(sigismember(&blocked, number) == 1, ordering: .relaxed)
        userSignalWasBlocked.store(sigismember(&blocked, SIGUSR1) == 1, ordering: .relaxed)
        signal.store(number, ordering: .relaxed)
        calls.wrappingAdd(1, ordering: .relaxed)
        if let page = UnsafeMutableRawPointer(bitPattern: mended.load(ordering: .relaxed)) {
            mprotect(page, pageSize, PROT_READ | PROT_WRITE)
        }
    }
}
