import Glibc
import SystemPackage
import VMHost

/// Why bytes did not move.
enum TransferFailure: Error, Hashable {
    case cancelled
    case stalled
    case system(Errno)
}

/// Moves bytes in one direction of one connection, for one thread at a time.
///
/// Each call moves what goes at once, and waits where that is nothing. No call returns while the kernel may still touch
/// the memory it was given.
protocol TransferBackend: ~Copyable {
    /// Sends bytes of the pieces, in their order, at least one where there is one.
    /// - Parameters:
    ///   - pieces: at most `PieceWindow.capacity`.
    ///   - timeout: how long to wait for the first byte to move.
    /// - Returns: how many bytes were taken.
    func write(
        _ pieces: UnsafeMutableBufferPointer<iovec>, stallingAfter timeout: Duration
    ) throws(TransferFailure) -> Int

    /// Receives bytes, at least one where there is room for one.
    /// - Returns: how many have come; 0 at the end of the stream.
    func read(_ room: UnsafeMutableRawBufferPointer, stallingAfter timeout: Duration) throws(TransferFailure) -> Int
}

/// The backend of a connection's direction.
enum Transfer: TransferBackend, ~Copyable {
    case plain(PlainTransfer)
    case ring(RingTransfer)

    /// - Parameter backend: for `auto`, plain calls are taken where this process gets no further ring.
    init(
        _ backend: IOBackend, on descriptor: CInt, isSocket: Bool, cancellation: Cancellation
    ) throws(TransportError) {
        if try backend.resolved() == .ring {
            do {
                self = .ring(try RingTransfer(descriptor, isSocket: isSocket, cancellation: cancellation))
                return
            } catch {
                guard backend == .auto else { throw .system(operation: "io_uring_setup", error) }
            }
        }
        self = .plain(PlainTransfer(descriptor, isSocket: isSocket, cancellation: cancellation))
    }

    /// Which it has become.
    var backend: IOBackend {
        switch self {
        case .plain: .plain
        case .ring: .ring
        }
    }

    func write(
        _ pieces: UnsafeMutableBufferPointer<iovec>, stallingAfter timeout: Duration
    ) throws(TransferFailure) -> Int {
        switch self {
        case .plain(let transfer): try transfer.write(pieces, stallingAfter: timeout)
        case .ring(let transfer): try transfer.write(pieces, stallingAfter: timeout)
        }
    }

    func read(_ room: UnsafeMutableRawBufferPointer, stallingAfter timeout: Duration) throws(TransferFailure) -> Int {
        switch self {
        case .plain(let transfer): try transfer.read(room, stallingAfter: timeout)
        case .ring(let transfer): try transfer.read(room, stallingAfter: timeout)
        }
    }
}
