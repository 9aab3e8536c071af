import Glibc
import Synchronization
import VMHost

/// One stream of bytes of a migration: over a socket both ways, through a pipe or a file one way.
///
/// Bytes are in their peer's hands, or the kernel's, when a call returns; nothing is held back. The descriptor is closed
/// with the last reference, whether or not `finish()` was called.
///
/// Threads: any. One may write while another reads; two that write take turns, call by call.
public final class Connection: Sendable {
    public let uri: MigrationURI
    /// What moves the bytes: `ring` or `plain`.
    public let backend: IOBackend
    /// Whether it can be written.
    public let canSend: Bool
    /// Whether it can be read.
    public let canReceive: Bool

    let endpoint: Endpoint
    let cancellation: Cancellation
    let sending: Monitor<SendingSide>
    let receiving: Monitor<Transfer>
    let sent = Atomic<UInt64>(0)
    let received = Atomic<UInt64>(0)
    private let stallNanoseconds = Atomic<Int64>(10_000_000_000)

    /// What writing needs.
    struct SendingSide: ~Copyable {
        let transfer: Transfer
        var window = PieceWindow()
        let output: OutputFile?
        var isFinished = false
    }

    /// - Parameters:
    ///   - direction: which way bytes go, where they can go one way only.
    ///   - output: the file that is written, if it is one that has yet to be named.
    init(
        _ uri: MigrationURI, _ endpoint: consuming Endpoint, _ direction: TransferDirection,
        output: sending OutputFile? = nil, _ backend: IOBackend, _ cancellation: Cancellation
    ) throws(TransportError) {
        let isSocket = endpoint.kind == .socket
        let descriptor = endpoint.descriptor
        let canSend = isSocket || direction == .sending
        let canReceive = isSocket || direction == .receiving
        // The direction that is not used needs no ring.
        let sender = try Transfer(
            canSend ? backend : .plain, on: descriptor, isSocket: isSocket, cancellation: cancellation)
        let receiver = try Transfer(
            canReceive ? backend : .plain, on: descriptor, isSocket: isSocket, cancellation: cancellation)
        let chosen = canSend ? sender.backend : receiver.backend
        endpoint.setBlocking(chosen == .ring)
        self.backend = chosen
        self.uri = uri
        self.canSend = canSend
        self.canReceive = canReceive
        self.endpoint = endpoint
        self.cancellation = cancellation
        self.sending = Monitor(SendingSide(transfer: sender, output: output))
        self.receiving = Monitor(receiver)
    }

    /// Whether bytes go both ways.
    public var isBidirectional: Bool { canSend && canReceive }

    /// Whether a new connection to the same address may take the place of this one when it is lost.
    public var canBeRejoined: Bool { uri.canBeRejoined }

    /// How long a call waits while no byte moves before it throws `.stalled`. Longer than it takes a peer to be idle by
    /// right. It holds from the next call on; at most 292 years.
    public var stallTimeout: Duration {
        get { .nanoseconds(stallNanoseconds.load(ordering: .relaxed)) }
        set {
            let (seconds, attoseconds) = max(newValue, .zero).components
            let (scaled, isLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            let (sum, isLonger) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
            stallNanoseconds.store(isLong || isLonger ? .max : sum, ordering: .relaxed)
        }
    }

    /// How many bytes were written so far.
    public var bytesWritten: UInt64 { sent.load(ordering: .relaxed) }
    /// How many bytes were read so far.
    public var bytesRead: UInt64 { received.load(ordering: .relaxed) }

    /// Makes the calls in progress and all later ones throw `.cancelled`, except that one which waits for a disk waits
    /// until that has answered. Never waits itself.
    public func cancel() {
        cancellation.cancel()
    }

    /// What a failure of a transfer means here.
    func error(_ failure: TransferFailure, _ direction: TransferDirection) -> TransportError {
        switch failure {
        case .cancelled: .cancelled(uri)
        case .stalled: .stalled(uri, direction, after: stallTimeout)
        case .system(let errno):
            switch endpoint.kind {
            case .socket, .pipe: .lost(uri, direction, errno)
            case .file, .device: OutputFile.failure(direction == .sending ? "writing" : "reading", errno, uri)
            }
        }
    }
}

extension MigrationURI {
    /// Whether a connection that was lost can be made again: sockets with an address.
    var canBeRejoined: Bool {
        switch target {
        case .unix, .tcp: true
        case .descriptor, .file: false
        }
    }
}
