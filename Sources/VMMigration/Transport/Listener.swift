import CTransport
import Glibc
import SystemPackage
import VMHost

/// The receiving side of a migration, before anybody has connected.
///
/// A socket accepts any number of connections, also while earlier ones are in use: for several streams, or to take the
/// place of one that was lost. A descriptor or a file gives one.
///
/// Threads: any.
public struct Listener: ~Copyable, Sendable {
    /// The address, with the port that was chosen where 0 was asked for.
    public let uri: MigrationURI
    /// Ends `accept`, in progress and later. Connections that were accepted go on.
    public let cancellation: Cancellation

    private let source: Source

    private enum Source: ~Copyable {
        case socket(ListeningSocket)
        /// Until it is taken.
        case single(Monitor<Endpoint?>)
    }

    /// Listens, or opens what is to be read.
    ///
    /// A `unix:` socket file that nobody listens on any more is replaced, and the own one removed in the end; only the
    /// user that the process runs as can connect to it.
    /// - Throws: `TransportError`; nothing is left open or changed then.
    public init(_ uri: MigrationURI, cancellation: Cancellation? = nil) throws(TransportError) {
        let cancellation = if let cancellation { cancellation } else { try Cancellation() }
        let source: Source
        var actual = uri
        switch uri.target {
        case .unix(let path):
            source = .socket(try ListeningSocket(uri, path: path))
        case .tcp(let host, _):
            let socket = try ListeningSocket(uri)
            if let port = SocketAddress.port(of: socket.descriptor) {
                actual = MigrationURI(target: .tcp(host: host, port: port))
            }
            source = .socket(socket)
        case .descriptor(let number):
            source = .single(Monitor(try Endpoint(adopting: number, for: .receiving, uri)))
        case .file(let path):
            source = .single(Monitor(try Self.open(path, uri)))
        }
        self.uri = actual
        self.cancellation = cancellation
        self.source = source
    }

    /// Waits for the next connection.
    /// - Parameters:
    ///   - deadline: nil to wait for ever.
    ///   - cancellation: that of the connection; one of its own where nil.
    /// - Throws: `.cancelled`, `.timedOut`, `.noFurtherConnection`, or another `TransportError`.
    public func accept(
        deadline: ContinuousClock.Instant? = nil, backend: IOBackend = .auto, cancellation: Cancellation? = nil
    ) throws(TransportError) -> Connection {
        let own = if let cancellation { cancellation } else { try Cancellation() }
        _ = try backend.resolved()
        if self.cancellation.isCancelled { throw .cancelled(uri) }
        switch source {
        case .socket(let socket):
            let end = deadline.map { MonotonicTime.now.advanced(by: $0 - .now) }
            let endpoint = try socket.accept(uri, until: end, self.cancellation)
            return try Connection(uri, endpoint, .receiving, backend, own)
        case .single(let single):
            var taken: Endpoint?
            single.withLock { taken = $0.take() }
            guard let endpoint = taken.take() else { throw .noFurtherConnection(uri) }
            return try Connection(uri, endpoint, .receiving, backend, own)
        }
    }

    /// What poll(2) finds readable when somebody connects; nil where there is one connection, and no waiting for it.
    var descriptor: CInt? {
        switch source {
        case .socket(let socket): socket.descriptor
        case .single: nil
        }
    }

    /// Who has connected, not yet as a connection; nil where nobody has.
    /// - Throws: `.cannotListen`.
    func acceptWaiting() throws(TransportError) -> Endpoint? {
        switch source {
        case .socket(let socket):
            do throws(TransportError) {
                return try socket.accept(uri, until: .now, cancellation)
            } catch .timedOut {
                return nil
            }
        case .single: return nil
        }
    }

    private static func open(_ path: String, _ uri: MigrationURI) throws(TransportError) -> Endpoint {
        // Nonblocking, so that a pipe without a writer does not stop it here.
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .file(uri, operation: "opening", .last) }
        let endpoint = Endpoint(owning: descriptor, kind: .file)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .file(uri, operation: "opening", .last) }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw .file(uri, operation: "opening", .isDirectory) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notARegularFile(uri) }
        _ = fcntl(descriptor, F_SETFL, 0)
        return endpoint
    }
}
