import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import VMMigration

@Suite("Listening and connecting")
struct ListenerTests {
    private let folder: TemporaryFolder
    private let socket: MigrationURI

    init() throws {
        folder = try TemporaryFolder()
        socket = try MigrationURI("unix:" + folder.path("socket"))
    }

    private var names: [String] { (try? TemporaryFolder.entries(folder.path)) ?? ["?"] }

    private func listening(_ uri: MigrationURI) -> TransportError? {
        failure { () throws(TransportError) in _ = try Listener(uri) }
    }

    @Test("Port 0 becomes the one that was chosen")
    func chosenPort() throws {
        let listener = try Listener(MigrationURI("tcp:127.0.0.1:0"))
        let uri = listener.uri
        guard case .tcp("127.0.0.1", let port) = uri.target else {
            Issue.record("\(uri)")
            return
        }
        #expect(port != 0)
        _ = try Connection.connect(uri)
        #expect(try listener.accept().uri == uri)
        #expect(listening(uri) == .inUse(uri))
    }

    @Test("IPv6 works where there is any")
    func ipv6() throws {
        let probe = Glibc.socket(AF_INET6, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(probe) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_addr = in6addr_loopback
        let isThere = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(probe, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
        let uri = try MigrationURI("tcp:[::1]:0")
        guard isThere else {
            guard case .cannotListen = listening(uri) else {
                Issue.record("it has to be refused")
                return
            }
            return
        }
        let listener = try Listener(uri)
        let sender = try Connection.connect(listener.uri)
        try sender.send([1])
        #expect(try listener.accept().receive(1) == [1])
    }

    @Test("A listener takes one connection after the other")
    func several() throws {
        let listener = try Listener(socket)
        for byte in UInt8(1)...3 {
            let sender = try Connection.connect(listener.uri)
            let receiver = try listener.accept()
            try sender.send([byte])
            #expect(try receiver.receive(1) == [byte])
        }
    }

    @Test("The socket file is its user's alone, and goes with the listener")
    func socketFile() throws {
        do {
            let listener = try Listener(socket)
            var status = stat()
            #expect(stat(folder.path("socket"), &status) == 0)
            #expect(status.st_mode & 0o777 & ~0o700 == 0)
            #expect(listening(socket) == .inUse(socket))
            _ = try Connection.connect(listener.uri)
        }
        #expect(names == [])
    }

    @Test("A socket file that nobody listens on is replaced")
    func stale() throws {
        do {
            let old = try Listener(socket)
            // As a killed process leaves it.
            #expect(link(folder.path("socket"), folder.path("kept")) == 0)
            _ = old.uri
        }
        #expect(rename(folder.path("kept"), folder.path("socket")) == 0)
        let refusal = failure { () throws(TransportError) in try Connection.connect(socket) }
        #expect(refusal == .refused(socket, .connectionRefused))
        let listener = try Listener(socket)
        _ = try Connection.connect(listener.uri)
        _ = try listener.accept()
    }

    @Test("What is no socket stays where it is")
    func notASocket() throws {
        _ = try folder.file("socket", "precious")
        #expect(listening(socket) == .notASocket(socket))
        #expect(try folder.contents("socket") == Array("precious".utf8))
    }

    @Test("A file that another has put in its place stays")
    func replaced() throws {
        do {
            let listener = try Listener(socket)
            #expect(unlink(folder.path("socket")) == 0)
            _ = try folder.file("socket", "precious")
            _ = listener.uri
        }
        #expect(names == ["socket"])
    }

    @Test("A folder that is not there is an error")
    func missingFolder() throws {
        let uri = try MigrationURI("unix:" + folder.path("none/socket"))
        #expect(listening(uri) == .cannotListen(uri, .noSuchFileOrDirectory))
    }

    @Test("Accepting ends at its deadline", arguments: ["unix", "tcp"])
    func acceptDeadline(_ kind: String) throws {
        let listener = try Listener(kind == "unix" ? socket : MigrationURI("tcp:127.0.0.1:0"))
        let error = failure { () throws(TransportError) in try listener.accept(deadline: .now + .milliseconds(30)) }
        #expect(error == .timedOut(listener.uri))
        #expect(failure { () throws(TransportError) in try listener.accept(deadline: .now) } == .timedOut(listener.uri))
    }

    @Test("Accepting is cancelled from another thread", arguments: ["unix", "tcp"])
    func acceptCancelled(_ kind: String) throws {
        let listener = try Listener(kind == "unix" ? socket : MigrationURI("tcp:127.0.0.1:0"))
        let cancellation = listener.cancellation
        let error = failure(
            of: { () throws(TransportError) in
                try listener.accept()
            }, cancelledBy: { cancellation.cancel() })
        #expect(error == .cancelled(listener.uri))
    }

    // MARK: Connecting

    @Test("Where nobody listens, connecting is refused at once, or at its deadline")
    func refused() throws {
        #expect(
            failure { () throws(TransportError) in try Connection.connect(socket) }
                == .refused(socket, .noSuchFileOrDirectory))
        let begin = ContinuousClock.now
        let deadline = begin + .milliseconds(60)
        #expect(
            failure { () throws(TransportError) in try Connection.connect(socket, deadline: deadline) }
                == .refused(socket, .noSuchFileOrDirectory))
        #expect(.now >= deadline)
    }

    @Test("Connecting waits for a listener until its deadline")
    func lateListener() throws {
        let uri = socket
        try onThreads([
            {
                let sender = try Connection.connect(uri, deadline: .now + .seconds(60))
                try sender.send([1])
            },
            {
                usleep(60_000)
                let listener = try Listener(uri)
                let receiver = try listener.accept(deadline: .now + .seconds(60))
                #expect(try receiver.receive(1) == [1])
            },
        ])
    }

    @Test("Connecting is cancelled from another thread")
    func connectCancelled() throws {
        let cancellation = try Cancellation()
        let error = failure(
            of: { () throws(TransportError) in
                try Connection.connect(socket, deadline: .now + .seconds(60), cancellation: cancellation)
            }, cancelledBy: { cancellation.cancel() })
        #expect(error == .cancelled(socket))
    }

    @Test("A name without address is an error")
    func unknownName() throws {
        let uri = try MigrationURI("tcp:name.invalid:1")
        guard case .noSuchAddress(uri, _) = failure(of: { () throws(TransportError) in try Connection.connect(uri) })
        else {
            Issue.record("it has to be refused")
            return
        }
    }

    // MARK: Descriptors

    @Test("A descriptor can be accepted once")
    func once() throws {
        let listener = try Listener(MigrationURI("file:" + folder.file("contents", "ab")))
        let receiver = try listener.accept()
        #expect(try receiver.receive(2) == Array("ab".utf8))
        #expect(failure { () throws(TransportError) in try listener.accept() } == .noFurtherConnection(listener.uri))
    }

    @Test(
        "A descriptor that cannot carry the stream is refused and left open", arguments: UnsuitableDescriptor.allCases)
    func unsuitable(_ kind: UnsuitableDescriptor) throws {
        let descriptor = try kind.open(folder)
        defer { close(descriptor) }
        let uri = try MigrationURI("fd:\(descriptor)")
        let error = failure { () throws(TransportError) in try Connection.connect(uri) }
        guard case .unsuitableDescriptor(uri, let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains(kind.reason))
        #expect(fcntl(descriptor, F_GETFD) >= 0)
    }

    @Test("A number that no descriptor has is refused")
    func noDescriptor() throws {
        let uri = try MigrationURI("fd:2147483647")
        #expect(
            failure { () throws(TransportError) in try Connection.connect(uri) }?.description.contains(
                "no such descriptor") == true)
    }

    enum UnsuitableDescriptor: CaseIterable {
        case readOnly
        case folder
        case datagrams
        case listening
        case unconnected

        var reason: String {
            switch self {
            case .readOnly: "not open for writing"
            case .folder: "a directory"
            case .datagrams: "not of a stream"
            case .listening: "listening"
            case .unconnected: "not connected"
            }
        }

        func open(_ folder: TemporaryFolder) throws -> CInt {
            switch self {
            case .readOnly: return Glibc.open(try folder.file("read", ""), O_RDONLY | O_CLOEXEC)
            case .folder: return Glibc.open(folder.path, O_RDONLY | O_CLOEXEC)
            case .datagrams: return Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0)
            case .listening:
                let socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
                listen(socket, 1)
                return socket
            case .unconnected: return Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            }
        }
    }
}
