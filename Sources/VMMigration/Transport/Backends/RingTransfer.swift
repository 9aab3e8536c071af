import CURing
import Glibc
import SystemPackage
import VMHost

/// Moves bytes through an io_uring of its own.
struct RingTransfer: TransferBackend, ~Copyable {
    private let ring: Ring
    private let descriptor: CInt
    private let isSocket: Bool
    private let cancellation: Cancellation
    // SAFETY: allocated in `init`, deallocated in `deinit`, used by the one thread that a transfer has at a time. The kernel
    // reads it while an entry is submitted, and not afterwards (IORING_FEAT_SUBMIT_STABLE).
    private let message: UnsafeMutablePointer<msghdr>

    /// - Throws: why the process gets no ring.
    init(_ descriptor: CInt, isSocket: Bool, cancellation: Cancellation) throws(Errno) {
        let ring = try Ring(cancellation: cancellation)
        let message = UnsafeMutablePointer<msghdr>.allocate(capacity: 1)
        message.initialize(to: msghdr())
        self.ring = ring
        self.descriptor = descriptor
        self.isSocket = isSocket
        self.cancellation = cancellation
        self.message = message
    }

    deinit {
        message.deallocate()
    }

    func write(
        _ pieces: UnsafeMutableBufferPointer<iovec>, stallingAfter timeout: Duration
    ) throws(TransferFailure) -> Int {
        message.pointee.msg_iov = pieces.baseAddress
        message.pointee.msg_iovlen = pieces.count
        return try move(events: POLLOUT, stallingAfter: timeout) { queues, tag in
            if isSocket {
                curing_prepare_sendmsg(queues, tag, descriptor, message, CInt(MSG_NOSIGNAL))
            } else {
                curing_prepare_writev(
                    queues, tag, descriptor, pieces.baseAddress, UInt32(truncatingIfNeeded: pieces.count))
            }
        }
    }

    /// As much as one call moves (MAX_RW_COUNT): an entry has 32 bits for it.
    private static let maximumLength = 0x7fff_f000

    func read(_ room: UnsafeMutableRawBufferPointer, stallingAfter timeout: Duration) throws(TransferFailure) -> Int {
        let count = min(room.count, Self.maximumLength)
        return try move(events: POLLIN, stallingAfter: timeout) { queues, tag in
            if isSocket {
                curing_prepare_recv(queues, tag, descriptor, room.baseAddress, count)
            } else {
                curing_prepare_read(queues, tag, descriptor, room.baseAddress, UInt32(truncatingIfNeeded: count))
            }
        }
    }

    private func move(
        events: CInt, stallingAfter timeout: Duration, _ prepare: (OpaquePointer, UInt64) -> CInt
    ) throws(TransferFailure) -> Int {
        var deadline: MonotonicTime?
        while true {
            let result = try ring.transfer(stallingAfter: timeout, prepare)
            if result >= 0 { return result }
            switch Errno(rawValue: CInt(-result)) {
            // The latter where a thread that ended had submitted it.
            case .interrupted, .canceled: continue
            // The ring waits by itself, unless whoever shares the descriptor has put it into nonblocking mode.
            case .resourceTemporarilyUnavailable:
                let end = deadline ?? .now.advanced(by: timeout)
                deadline = end
                try cancellation.wait(for: events, on: descriptor, until: end)
            case let errno: throw .system(errno)
            }
        }
    }
}
