import Glibc
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import VMMigration

@Suite("Links that break")
struct LostLinkTests {
    @Test("Sending to one who has gone is a lost link, and raises no signal", arguments: Setup.all)
    func brokenPipe(_ setup: Setup) throws {
        let sender = try Link(setup).sender
        // With the signal blocked, one that was raised would be pending, whatever the process does with it.
        try onThreads([
            {
                Self.block(SIGPIPE)
                let error = failure { () throws(TransportError) in try sender.fill() }
                #expect(
                    [.lost(sender.uri, .sending, .brokenPipe), .lost(sender.uri, .sending, .connectionReset)].contains(
                        error))
                #expect(failure { () throws(TransportError) in try sender.send([1]) } != nil)
                #expect(!Self.isPending(SIGPIPE))
            }
        ])
    }

    @Test("A signal about another pipe is left alone", arguments: Setup.all)
    func otherSignal(_ setup: Setup) throws {
        let sender = try Link(setup).sender
        try onThreads([
            {
                Self.block(SIGPIPE)
                pthread_kill(pthread_self(), SIGPIPE)
                #expect(failure { () throws(TransportError) in try sender.fill() }?.isLostLink == true)
                #expect(Self.isPending(SIGPIPE))
            }
        ])
    }

    @Test("A peer that goes while a write waits is a lost link", arguments: Setup.all)
    func goneMeanwhile(_ setup: Setup) throws {
        let (sender, ends) = try { () throws -> (Connection, Ends) in
            let link = try Link(setup)
            return (link.sender, Ends(link))
        }()
        let error = failure(of: { () throws(TransportError) in try sender.fill() }, cancelledBy: { ends.drop() })
        #expect(error?.isLostLink == true)
    }

    @Test("A reset is told from an end", arguments: Setup.all.filter { $0.transport == .tcp })
    func reset(_ setup: Setup) throws {
        var link: Link? = try Link(setup)
        let receiver = try #require(link?.receiver)
        if let sender = link?.sender {
            // Closing then sends a reset: socket(7).
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(
                sender.endpoint.descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
        link = nil
        let error = failure { () throws(TransportError) in try receiver.receive(1) }
        #expect(error == .lost(receiver.uri, .receiving, .connectionReset))
        #expect(error?.description.contains("ECONNRESET") == true)
    }

    /// What keeps the receiving end open.
    private final class Ends: Sendable {
        private let receiver: Mutex<Connection?>

        init(_ link: Link) { receiver = Mutex(link.receiver) }

        func drop() { receiver.withLock { $0 = nil } }
    }

    private static func block(_ signal: CInt) {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    private static func isPending(_ signal: CInt) -> Bool {
        var set = sigset_t()
        sigpending(&set)
        return sigismember(&set, signal) == 1
    }
}
