import Glibc
import Synchronization
import TestSupport
import Testing

@testable import VMMigration

@Suite("Connections, over every transport and backend")
struct ConnectionContractTests {
    private static let bytes: [UInt8] = {
        var generator = SeededGenerator(seed: 5)
        let words = (0..<400_000).map { _ in generator.next() }
        return words.withUnsafeBytes { Array($0.prefix(3_000_003)) }
    }()

    @Test("Bytes arrive as they were sent, however they are cut", arguments: Setup.all)
    func integrity(_ setup: Setup) throws {
        let link = try Link(setup)
        #expect(link.sender.backend == setup.backend)
        var generator = SeededGenerator(seed: 7)
        let bytes = Self.bytes
        // More than IOV_MAX of them, empty ones and long ones among them.
        let cuts = ((0..<3000).map { _ in Int.random(in: 0...bytes.count, using: &generator) } + [0, 0, bytes.count])
            .sorted()
        let received = SharedBytes()
        try onThreads([
            {
                try bytes.withUnsafeBytes { bytes in
                    let pieces = zip(cuts, cuts.dropFirst()).map { start, end in
                        iovec(
                            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress! + start),
                            iov_len: end - start)
                    }
                    try pieces.withUnsafeBufferPointer { try link.sender.write($0) }
                }
                try link.sender.finish()
            },
            {
                var left = bytes.count
                var size = 1
                while left > 0 {
                    let count = min(size, left)
                    received.append(try link.receiver.receive(count))
                    left -= count
                    size = size * 3 % 1_000_003
                }
            },
        ])
        #expect(received.all == bytes)
        #expect(link.sender.bytesWritten == UInt64(bytes.count))
        #expect(link.receiver.bytesRead == UInt64(bytes.count))
    }

    @Test("Nothing sent and nothing wanted is no matter", arguments: Setup.all)
    func empty(_ setup: Setup) throws {
        let link = try Link(setup)
        try link.sender.write(UnsafeBufferPointer<iovec>(start: nil, count: 0))
        try link.sender.send([])
        try link.sender.send([1])
        #expect(try link.receiver.receive(0) == [])
        #expect(try link.receiver.receive(1) == [1])
    }

    @Test("An end within what is wanted says how much had come", arguments: Setup.all)
    func end(_ setup: Setup) throws {
        var link: Link? = try Link(setup)
        let receiver = try #require(link?.receiver)
        try link?.sender.send([1, 2, 3])
        try link?.sender.finish()
        // A pipe ends with its connection.
        link = nil
        #expect(
            failure { () throws(TransportError) in try receiver.receive(10) }
                == .closed(receiver.uri, received: 3, wanted: 10))
        #expect(
            failure { () throws(TransportError) in try receiver.receive(1) }
                == .closed(receiver.uri, received: 0, wanted: 1))
    }

    @Test("Room for more than 32 bits can say is filled as far as bytes come", arguments: Setup.all)
    func largeRoom(_ setup: Setup) throws {
        let size = 1 << 32
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | CInt(MAP_NORESERVE), -1, 0)
        let room = try #require(memory == MAP_FAILED ? nil : memory)
        defer { munmap(room, size) }
        var link: Link? = try Link(setup)
        let receiver = try #require(link?.receiver)
        try link?.sender.send([1, 2, 3])
        link = nil
        let error = failure { () throws(TransportError) in
            try receiver.read(exactly: UnsafeMutableRawBufferPointer(start: room, count: size))
        }
        #expect(error == .closed(receiver.uri, received: 3, wanted: size))
        #expect(room.load(fromByteOffset: 2, as: UInt8.self) == 3)
    }

    @Test("Once it is finished nothing more can be sent", arguments: Setup.all)
    func finished(_ setup: Setup) throws {
        let link = try Link(setup)
        try link.sender.finish()
        try link.sender.finish()
        #expect(failure { () throws(TransportError) in try link.sender.send([1]) } == .finished(link.sender.uri))
    }

    @Test("A socket carries both ways at once", arguments: Setup.sockets)
    func bothWays(_ setup: Setup) throws {
        let link = try Link(setup)
        #expect(link.sender.isBidirectional && link.receiver.isBidirectional)
        let (ping, pong) = ([UInt8](repeating: 1, count: 4 << 20), [UInt8](repeating: 2, count: 4 << 20))
        let (first, second) = (SharedBytes(), SharedBytes())
        try onThreads([
            { try link.sender.send(ping) },
            { try link.receiver.send(pong) },
            { first.append(try link.receiver.receive(ping.count)) },
            { second.append(try link.sender.receive(pong.count)) },
        ])
        #expect(first.all == ping)
        #expect(second.all == pong)
    }

    @Test("A pipe goes one way", arguments: Setup.all.filter { !$0.isSocket })
    func oneWay(_ setup: Setup) throws {
        let link = try Link(setup)
        #expect(!link.sender.isBidirectional && !link.receiver.isBidirectional)
        #expect(
            failure { () throws(TransportError) in try link.sender.receive(1) } == .oneWay(link.sender.uri, .receiving))
        #expect(
            failure { () throws(TransportError) in try link.receiver.send([1]) } == .oneWay(link.receiver.uri, .sending)
        )
        try link.receiver.finish()
    }

    @Test("Only what has an address can be joined again", arguments: Setup.all)
    func rejoining(_ setup: Setup) throws {
        let link = try Link(setup)
        #expect(link.sender.canBeRejoined == [.unix, .tcp].contains(setup.transport))
    }

    @Test("Two that write take turns, call by call", arguments: Setup.all)
    func turns(_ setup: Setup) throws {
        let link = try Link(setup)
        let size = 300_000
        let received = SharedBytes()
        try onThreads([
            { try link.sender.send([UInt8](repeating: 1, count: size)) },
            { try link.sender.send([UInt8](repeating: 2, count: size)) },
            { received.append(try link.receiver.receive(2 * size)) },
        ])
        let bytes = received.all
        #expect(Set(bytes[..<size]).count == 1 && Set(bytes[size...]).count == 1)
    }

    @Test("A descriptor in the other mode works as well", arguments: Setup.all, [true, false])
    func modes(_ setup: Setup, _ isBlocking: Bool) throws {
        let link = try Link(setup)
        for descriptor in [link.sender.endpoint.descriptor, link.receiver.endpoint.descriptor]
        where setup.backend == .ring || setup.isSocket {
            let flags = fcntl(descriptor, F_GETFL)
            try #require(fcntl(descriptor, F_SETFL, isBlocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) == 0)
        }
        let bytes = [UInt8](repeating: 3, count: 3 << 20)
        let received = SharedBytes()
        try onThreads([
            { try link.sender.send(bytes) }, { received.append(try link.receiver.receive(bytes.count)) },
        ])
        #expect(received.all == bytes)
    }

    @Test("Connections leave no descriptors behind", arguments: Setup.all)
    func leaks(_ setup: Setup) throws {
        func count() throws -> Int { try TemporaryFolder.entries("/proc/self/fd").count }
        let before = try count()
        let rounds = 200
        for _ in 0..<rounds {
            let link = try Link(setup)
            try link.sender.send([1])
            _ = try link.receiver.receive(1)
        }
        // Other tests open some at the same time; one for each round would be more.
        #expect(try count() < before + rounds / 2)
    }
}

/// Bytes that a thread hands over to whoever joins it.
final class SharedBytes: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    var all: [UInt8] { bytes.withLock { $0 } }

    func append(_ more: [UInt8]) { bytes.withLock { $0 += more } }
}
