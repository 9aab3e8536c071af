import Glibc
import TestSupport
import Testing

@testable import VMMigration

@Suite("Waiting on a connection, and ending it")
struct WaitingTests {
    private static let short = Duration.milliseconds(80)

    @Test("A read to which no byte comes stalls", arguments: Setup.all)
    func stalledRead(_ setup: Setup) throws {
        let link = try Link(setup)
        link.receiver.stallTimeout = Self.short
        let begin = ContinuousClock.now
        let error = failure { () throws(TransportError) in try link.receiver.receive(1) }
        #expect(error == .stalled(link.receiver.uri, .receiving, after: Self.short))
        #expect(.now - begin >= Self.short)
    }

    @Test("A write that nobody reads stalls", arguments: Setup.all)
    func stalledWrite(_ setup: Setup) throws {
        let link = try Link(setup)
        link.sender.stallTimeout = Self.short
        let error = failure { () throws(TransportError) in try link.sender.fill() }
        #expect(error == .stalled(link.sender.uri, .sending, after: Self.short))
        #expect(link.sender.bytesWritten > 0)
    }

    @Test("A stalled read leaves the stream as it was", arguments: Setup.all)
    func afterStall(_ setup: Setup) throws {
        let link = try Link(setup)
        link.receiver.stallTimeout = Self.short
        for byte in UInt8(1)...3 {
            #expect(failure { () throws(TransportError) in try link.receiver.receive(1) } != nil)
            try link.sender.send([byte])
            #expect(try link.receiver.receive(1) == [byte])
        }
    }

    @Test("A slow peer is none that stalls", arguments: Setup.all.filter { $0.transport == .pair })
    func slow(_ setup: Setup) throws {
        let link = try Link(setup)
        link.receiver.stallTimeout = .seconds(1)
        try onThreads([
            {
                for byte in UInt8(0)..<15 {
                    try link.sender.send([byte])
                    usleep(100_000)
                }
            },
            {
                let bytes = try link.receiver.receive(15)
                #expect(bytes == Array(0..<15))
            },
        ])
    }

    @Test("The time limit is taken as it is set, as far as it can be")
    func timeLimits() throws {
        let link = try Link(Setup(transport: .pair, backend: .plain))
        #expect(link.sender.stallTimeout == .seconds(10))
        link.sender.stallTimeout = .seconds(-1)
        #expect(link.sender.stallTimeout == .zero)
        link.sender.stallTimeout = .seconds(Int64.max)
        #expect(link.sender.stallTimeout == .nanoseconds(Int64.max))
        try link.sender.send([1])
        link.receiver.stallTimeout = .seconds(Int64.max)
        #expect(try link.receiver.receive(1) == [1])
    }

    @Test("Cancelling ends a read in progress, and later calls", arguments: Setup.all)
    func cancelledRead(_ setup: Setup) throws {
        let link = try Link(setup)
        let receiver = link.receiver
        let error = failure(
            of: { () throws(TransportError) in try receiver.receive(1) }, cancelledBy: { receiver.cancel() })
        #expect(error == .cancelled(receiver.uri))
        try link.sender.send([1])
        #expect(failure { () throws(TransportError) in try receiver.receive(1) } == .cancelled(receiver.uri))
        #expect(failure { () throws(TransportError) in try receiver.receive(0) } == .cancelled(receiver.uri))
    }

    @Test("Cancelling ends a write in progress, and later calls", arguments: Setup.all)
    func cancelledWrite(_ setup: Setup) throws {
        let link = try Link(setup)
        let sender = link.sender
        let error = failure(
            of: { () throws(TransportError) in try sender.fill() }, cancelledBy: { sender.cancel() })
        #expect(error == .cancelled(sender.uri))
        #expect(failure { () throws(TransportError) in try sender.send([]) } == .cancelled(sender.uri))
        #expect(failure { () throws(TransportError) in try sender.finish() } == .cancelled(sender.uri))
    }

    @Test("Cancelling before a call ends it as well", arguments: Setup.all)
    func cancelledBefore(_ setup: Setup) throws {
        let link = try Link(setup)
        link.sender.cancel()
        link.sender.cancel()
        link.receiver.cancel()
        #expect(failure { () throws(TransportError) in try link.sender.send([1]) } == .cancelled(link.sender.uri))
        #expect(failure { () throws(TransportError) in try link.receiver.receive(1) } == .cancelled(link.receiver.uri))
    }

    @Test("Cancelling ends the reading and the writing of one connection at once", arguments: Setup.sockets)
    func cancelledBoth(_ setup: Setup) throws {
        let link = try Link(setup)
        let sender = link.sender
        try onThreads([
            { #expect(failure { () throws(TransportError) in try sender.fill() } == .cancelled(sender.uri)) },
            { #expect(failure { () throws(TransportError) in try sender.receive(1) } == .cancelled(sender.uri)) },
            {
                usleep(50_000)
                sender.cancel()
            },
        ])
    }

    @Test("What a thread that has ended began to watch for still ends a call of another", arguments: Setup.all)
    func otherThread(_ setup: Setup) throws {
        let link = try Link(setup)
        let receiver = link.receiver
        receiver.stallTimeout = Self.short
        try onThreads([{ #expect(failure { () throws(TransportError) in try receiver.receive(1) } != nil) }])
        receiver.stallTimeout = .seconds(60)
        let begin = ContinuousClock.now
        let error = failure(
            of: { () throws(TransportError) in try receiver.receive(1) }, cancelledBy: { receiver.cancel() })
        #expect(error == .cancelled(receiver.uri))
        #expect(.now - begin < .seconds(50))
    }

    @Test("Cancelling while bytes flow loses no order and ends both sides", arguments: Setup.all)
    func cancelledInFlow(_ setup: Setup) throws {
        for round in 0..<10 {
            let link = try Link(setup)
            let (sender, receiver) = (link.sender, link.receiver)
            try onThreads([
                { #expect(failure { () throws(TransportError) in try sender.fill() } == .cancelled(sender.uri)) },
                {
                    let error = failure { () throws(TransportError) in
                        while true { _ = try receiver.receive(100_000) }
                    }
                    #expect(error == .cancelled(receiver.uri))
                },
                {
                    usleep(UInt32(round) * 500)
                    sender.cancel()
                    receiver.cancel()
                },
            ])
            #expect(receiver.bytesRead <= sender.bytesWritten)
        }
    }

    @Test("One cancellation ends all that were given it")
    func shared() throws {
        let cancellation = try Cancellation()
        let listener = try Listener(MigrationURI("tcp:127.0.0.1:0"), cancellation: cancellation)
        let sender = try Connection.connect(listener.uri, cancellation: cancellation)
        let receiver = try listener.accept(cancellation: cancellation)
        cancellation.cancel()
        #expect(failure { () throws(TransportError) in try sender.send([1]) } == .cancelled(sender.uri))
        #expect(failure { () throws(TransportError) in try receiver.receive(1) } == .cancelled(receiver.uri))
        #expect(failure { () throws(TransportError) in try listener.accept() } == .cancelled(listener.uri))
    }
}
