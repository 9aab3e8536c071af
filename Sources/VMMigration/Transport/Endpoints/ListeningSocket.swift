import CTransport
import Glibc
import SystemPackage
import VMHost

/// A socket that others connect to, and its file if it has one.
struct ListeningSocket: ~Copyable {
    private let endpoint: Endpoint
    private let file: BoundFile?

    /// The file that binding made.
    private struct BoundFile {
        let path: String
        let device: dev_t
        let inode: ino_t

        init?(_ path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            self.path = path
            device = status.st_dev
            inode = status.st_ino
        }
    }

    var descriptor: CInt { endpoint.descriptor }

    /// Listens at a TCP address: the first of the host's that works.
    init(_ uri: MigrationURI) throws(TransportError) {
        var reason = Errno.addressNotAvailable
        for address in try SocketAddress.all(of: uri) {
            do throws(Errno) {
                let endpoint = try StreamSocket.make(address.family, nonblocking: true)
                // So that a listener that has just ended is no hindrance. Two cannot listen at once.
                StreamSocket.set(SO_REUSEADDR, to: 1, on: endpoint.descriptor)
                try Self.bind(endpoint.descriptor, address)
                try Self.listen(endpoint.descriptor)
                self.endpoint = endpoint
                file = nil
                return
            } catch {
                reason = error
            }
        }
        throw reason == .addressInUse ? .inUse(uri) : .cannotListen(uri, reason)
    }

    /// Listens at a path.
    init(_ uri: MigrationURI, path: String) throws(TransportError) {
        guard let address = try SocketAddress.all(of: uri).first else { throw .cannotListen(uri, .invalidArgument) }
        do throws(Errno) {
            let endpoint = try StreamSocket.make(AF_UNIX, nonblocking: true)
            // Linux gives the file the mode that the socket has by then.
            _ = fchmod(endpoint.descriptor, 0o600)
            do throws(Errno) {
                try Self.bind(endpoint.descriptor, address)
            } catch {
                guard error == .addressInUse else { throw error }
                switch Self.occupant(of: path, address) {
                case .nobody: break
                case .somebody: throw Errno.addressInUse
                case .another: throw Errno.notSocket
                }
                guard unlink(path) == 0 || errno == ENOENT else { throw .last }
                try Self.bind(endpoint.descriptor, address)
            }
            let file = BoundFile(path)
            do throws(Errno) {
                try Self.listen(endpoint.descriptor)
            } catch {
                unlink(path)
                throw error
            }
            self.endpoint = endpoint
            self.file = file
        } catch {
            switch error {
            case .addressInUse: throw .inUse(uri)
            case .notSocket: throw .notASocket(uri)
            default: throw .cannotListen(uri, error)
            }
        }
    }

    deinit {
        // Unless another has taken its place there.
        if let file, let now = BoundFile(file.path), now.device == file.device, now.inode == file.inode {
            unlink(file.path)
        }
    }

    /// - Throws: `.timedOut`, `.cancelled` or `.cannotListen`.
    func accept(
        _ uri: MigrationURI, until deadline: MonotonicTime?, _ cancellation: Cancellation
    ) throws(TransportError) -> Endpoint {
        while true {
            let result = ctransport_accept(endpoint.descriptor)
            if result >= 0 {
                StreamSocket.tune(result)
                return Endpoint(owning: result, kind: .socket)
            }
            do throws(TransferFailure) {
                switch Errno(rawValue: -result) {
                // Others are about one who connected and went away again: accept(2).
                case .interrupted, .connectionAbort, .protocolError, .networkDown, .hostIsDown,
                    .noRouteToHost, .networkUnreachable:
                    if cancellation.isCancelled { throw .cancelled }
                case .resourceTemporarilyUnavailable:
                    try cancellation.wait(for: POLLIN, on: endpoint.descriptor, until: deadline)
                case let errno: throw .system(errno)
                }
            } catch {
                switch error {
                case .cancelled: throw .cancelled(uri)
                case .stalled: throw .timedOut(uri)
                case .system(let errno): throw .cannotListen(uri, errno)
                }
            }
        }
    }

    // MARK: Binding

    private static func bind(_ descriptor: CInt, _ address: SocketAddress) throws(Errno) {
        guard address.withPointer({ Glibc.bind(descriptor, $0, $1) }) == 0 else { throw .last }
    }

    private static func listen(_ descriptor: CInt) throws(Errno) {
        guard Glibc.listen(descriptor, 64) == 0 else { throw .last }
    }

    private enum Occupant {
        /// A socket that nobody listens on.
        case nobody
        case somebody
        /// What is no socket.
        case another
    }

    /// Who has a path.
    private static func occupant(of path: String, _ address: SocketAddress) -> Occupant {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK { return .another }
        guard let endpoint = try? StreamSocket.make(AF_UNIX, nonblocking: true) else { return .somebody }
        let descriptor = endpoint.descriptor
        if address.withPointer({ Glibc.connect(descriptor, $0, $1) }) == 0 { return .somebody }
        return [ECONNREFUSED, ENOENT].contains(errno) ? .nobody : .somebody
    }
}
