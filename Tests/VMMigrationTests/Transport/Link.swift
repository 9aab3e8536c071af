import Glibc
import TestSupport
import Testing
import VMMigration

/// A kind of connection, and the backend of both its ends.
struct Setup: Sendable, CustomTestStringConvertible {
    enum Transport: CaseIterable {
        case unix
        case tcp
        /// A pair of sockets, by `fd:`.
        case pair
        case pipe
    }

    let transport: Transport
    let backend: IOBackend

    var testDescription: String { "\(transport), \(backend)" }
    var isSocket: Bool { transport != .pipe }

    /// What the host has.
    static let backends: [IOBackend] = IOBackend.available == .ring ? [.plain, .ring] : [.plain]
    static let all = backends.flatMap { backend in Transport.allCases.map { Setup(transport: $0, backend: backend) } }
    static let sockets = all.filter(\.isSocket)
}

/// Two connected ends.
struct Link {
    let sender: Connection
    let receiver: Connection
    private let folder: TemporaryFolder?

    init(_ setup: Setup) throws {
        switch setup.transport {
        case .unix:
            let folder = try TemporaryFolder()
            self = try Link(Listener(MigrationURI("unix:" + folder.path("socket"))), setup.backend, folder)
        case .tcp:
            self = try Link(Listener(MigrationURI("tcp:127.0.0.1:0")), setup.backend, nil)
        case .pair:
            var ends: [CInt] = [-1, -1]
            try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
            self = try Link(reading: ends[0], writing: ends[1], setup.backend)
        case .pipe:
            var ends: [CInt] = [-1, -1]
            try #require(pipe(&ends) == 0)
            self = try Link(reading: ends[0], writing: ends[1], setup.backend)
        }
    }

    private init(_ listener: borrowing Listener, _ backend: IOBackend, _ folder: TemporaryFolder?) throws {
        sender = try Connection.connect(listener.uri, backend: backend)
        receiver = try listener.accept(deadline: .now + .seconds(60), backend: backend)
        self.folder = folder
    }

    private init(reading: CInt, writing: CInt, _ backend: IOBackend) throws {
        let listener = try Listener(MigrationURI("fd:\(reading)"))
        receiver = try listener.accept(backend: backend)
        sender = try Connection.connect(MigrationURI("fd:\(writing)"), backend: backend)
        folder = nil
    }
}

extension Connection {
    func send(_ bytes: [UInt8]) throws(TransportError) {
        var failure: TransportError?
        bytes.withUnsafeBytes { bytes in
            do throws(TransportError) { try write(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    func receive(_ count: Int) throws(TransportError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: TransportError?
        bytes.withUnsafeMutableBytes { bytes in
            do throws(TransportError) { try read(exactly: bytes) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Sends until that fails.
    func fill() throws(TransportError) {
        let bytes = [UInt8](repeating: 0, count: 1 << 20)
        while true { try send(bytes) }
    }
}

/// What `body` throws.
func failure<Result>(of body: () throws(TransportError) -> Result) -> TransportError? {
    do throws(TransportError) {
        _ = try body()
        return nil
    } catch {
        return error
    }
}

/// Runs `cancel` a moment after `body` has begun, on another thread, and gives what `body` throws.
func failure<Result>(
    of body: () throws(TransportError) -> Result, cancelledBy cancel: @escaping @Sendable () -> Void
) -> TransportError? {
    let thread = TestThread {
        usleep(50_000)
        cancel()
    }
    let failure = failure(of: body)
    thread.join()
    return failure
}
