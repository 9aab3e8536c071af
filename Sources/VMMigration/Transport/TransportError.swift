import SystemPackage
import VMHost

/// Which way bytes go, seen from this process.
public enum TransferDirection: Hashable, Sendable {
    case sending
    case receiving
}

/// Why a migration stream could not be opened, or broke off.
public enum TransportError: Error, Hashable, Sendable {
    /// `cancel()` was called.
    case cancelled(MigrationURI)
    /// No byte has moved for as long as `Connection.stallTimeout`.
    case stalled(MigrationURI, TransferDirection, after: Duration)
    /// The peer has ended its side, or the file is at its end.
    /// - received: how many bytes of those `wanted` had come.
    case closed(MigrationURI, received: Int, wanted: Int)
    /// The link broke. A transport that can be connected to again may be tried again.
    case lost(MigrationURI, TransferDirection, Errno)
    /// `finish()` has been called before.
    case finished(MigrationURI)
    /// The stream goes the other way only.
    case oneWay(MigrationURI, TransferDirection)

    /// Nobody listens there.
    case refused(MigrationURI, Errno)
    case noSuchAddress(MigrationURI, reason: String)
    case cannotConnect(MigrationURI, Errno)
    case cannotListen(MigrationURI, Errno)
    /// Somebody listens there already.
    case inUse(MigrationURI)
    /// What lies at the path of the socket is none, and stays.
    case notASocket(MigrationURI)
    /// The deadline of connecting or accepting has passed.
    case timedOut(MigrationURI)
    /// A descriptor or a file can be accepted only once.
    case noFurtherConnection(MigrationURI)
    case unsuitableDescriptor(MigrationURI, reason: String)

    /// - operation: such as "creating".
    case file(MigrationURI, operation: String, Errno)
    case notARegularFile(MigrationURI)
    case diskFull(MigrationURI, Errno)

    /// io_uring was demanded, and the host has none to use.
    case ringUnavailable(reason: String)
    /// A system call that is about no stream in particular failed.
    case system(operation: String, Errno)

    /// Whether the link was lost in a way that a new connection may get over.
    public var isLostLink: Bool {
        switch self {
        case .lost, .stalled, .closed: true
        default: false
        }
    }
}

extension TransportError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cancelled(let uri): "\(uri): cancelled"
        case .stalled(let uri, let direction, let time):
            "\(uri): no byte could be \(direction == .sending ? "sent" : "received") for \(time); "
                + "the peer hangs, or the network is interrupted"
        case .closed(let uri, let received, let wanted):
            "\(uri): the stream ended after \(received) of the \(wanted) bytes wanted next"
        case .lost(let uri, let direction, let errno):
            "\(uri): the link broke while \(direction == .sending ? "sending" : "receiving"): \(errno.symbol), \(errno)"
        case .finished(let uri): "\(uri): the stream is finished, nothing more can be written"
        case .oneWay(let uri, let direction):
            "\(uri): nothing can be \(direction == .sending ? "sent" : "received"), it is open the other way only"
        case .refused(let uri, let errno):
            "\(uri): nobody listens there (\(errno.symbol)); start the receiving side first, or give it time to start"
        case .noSuchAddress(let uri, let reason): "\(uri): no such address: \(reason)"
        case .cannotConnect(let uri, let errno): "\(uri): connecting failed: \(errno.symbol), \(errno)"
        case .cannotListen(let uri, let errno): "\(uri): listening failed: \(errno.symbol), \(errno)"
        case .inUse(let uri): "\(uri): somebody listens there already; take another address, or end that process"
        case .notASocket(let uri): "\(uri): what is there is no socket; remove it, or take another path"
        case .timedOut(let uri): "\(uri): nobody came before the deadline"
        case .noFurtherConnection(let uri): "\(uri): there is only one connection to be had from it"
        case .unsuitableDescriptor(let uri, let reason): "\(uri): \(reason)"
        case .file(let uri, let operation, let errno): "\(uri): \(operation) failed: \(errno.symbol), \(errno)"
        case .notARegularFile(let uri):
            "\(uri): what is there is no regular file; open a device or a pipe yourself, and use fd:"
        case .diskFull(let uri, let errno):
            "\(uri): the disk or the quota is full (\(errno.symbol)); make room and try again"
        case .ringUnavailable(let reason): "io_uring cannot be used: \(reason); the plain system calls can"
        case .system(let operation, let errno): "\(operation) failed: \(errno.symbol), \(errno)"
        }
    }
}
