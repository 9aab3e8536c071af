import Glibc
import SystemPackage
import VMHost

/// Moves bytes by calls that return at once, and poll(2) where nothing moves.
///
/// Pipes have to be in nonblocking mode. Sockets need not: the mode is shared with whoever else has the socket, and these
/// calls can do without. Files make their caller wait for the disk in any mode.
struct PlainTransfer: TransferBackend, ~Copyable {
    private let descriptor: CInt
    private let isSocket: Bool
    private let cancellation: Cancellation

    init(_ descriptor: CInt, isSocket: Bool, cancellation: Cancellation) {
        self.descriptor = descriptor
        self.isSocket = isSocket
        self.cancellation = cancellation
    }

    func write(
        _ pieces: UnsafeMutableBufferPointer<iovec>, stallingAfter timeout: Duration
    ) throws(TransferFailure) -> Int {
        var message = msghdr()
        message.msg_iov = pieces.baseAddress
        message.msg_iovlen = pieces.count
        var deadline: MonotonicTime?
        while true {
            if cancellation.isCancelled { throw .cancelled }
            let result =
                isSocket
                ? sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
                : writev(descriptor, pieces.baseAddress, CInt(pieces.count))
            if result >= 0 { return result }
            try recover(from: .last, events: POLLOUT, &deadline, timeout)
        }
    }

    func read(_ room: UnsafeMutableRawBufferPointer, stallingAfter timeout: Duration) throws(TransferFailure) -> Int {
        var deadline: MonotonicTime?
        while true {
            if cancellation.isCancelled { throw .cancelled }
            let result =
                isSocket
                ? recv(descriptor, room.baseAddress, room.count, CInt(MSG_DONTWAIT))
                : Glibc.read(descriptor, room.baseAddress, room.count)
            if result >= 0 { return result }
            try recover(from: .last, events: POLLIN, &deadline, timeout)
        }
    }

    /// Waits where that is what it takes.
    private func recover(
        from errno: Errno, events: CInt, _ deadline: inout MonotonicTime?, _ timeout: Duration
    ) throws(TransferFailure) {
        switch errno {
        case .interrupted: return
        case .resourceTemporarilyUnavailable:
            let end = deadline ?? .now.advanced(by: timeout)
            deadline = end
            try cancellation.wait(for: events, on: descriptor, until: end)
        default: throw .system(errno)
        }
    }
}
