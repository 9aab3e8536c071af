import Glibc
import SystemPackage
import VMHost

/// Options of stream sockets, and connecting them.
enum StreamSocket {
    /// How much a `unix:` socket holds, in bytes: the two ends then seldom wait for each other, and more gains next to
    /// nothing. The kernel gives at most net.core.wmem_max where the process may not go beyond that.
    static let unixBufferSize: CInt = 1 << 20

    /// Makes a socket with FD_CLOEXEC.
    static func make(_ family: CInt, nonblocking: Bool) throws(Errno) -> Endpoint {
        let mode = nonblocking ? SOCK_NONBLOCK.rawValue : 0
        let descriptor = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | mode), 0)
        guard descriptor >= 0 else { throw .last }
        return Endpoint(owning: descriptor, kind: .socket)
    }

    /// Sets what helps throughput and tells of dead peers. None of it is needed, so nothing fails.
    static func tune(_ descriptor: CInt) {
        switch option(SO_DOMAIN, of: descriptor) {
        case AF_UNIX:
            if !set(SO_SNDBUFFORCE, to: unixBufferSize, on: descriptor) {
                set(SO_SNDBUF, to: unixBufferSize, on: descriptor)
            }
        case AF_INET, AF_INET6:
            // The buffers stay the kernel's: it makes them as large as the way is long, and a size set here ends that.
            set(Glibc.TCP_NODELAY, level: CInt(IPPROTO_TCP), to: 1, on: descriptor)
            set(SO_KEEPALIVE, to: 1, on: descriptor)
            set(Glibc.TCP_KEEPIDLE, level: CInt(IPPROTO_TCP), to: 10, on: descriptor)
            set(Glibc.TCP_KEEPINTVL, level: CInt(IPPROTO_TCP), to: 5, on: descriptor)
            set(Glibc.TCP_KEEPCNT, level: CInt(IPPROTO_TCP), to: 4, on: descriptor)
        default: break
        }
    }

    /// Why a socket cannot carry a stream; nil where it can.
    static func unsuitability(of descriptor: CInt) -> String? {
        if option(SO_TYPE, of: descriptor) != CInt(SOCK_STREAM.rawValue) {
            return "it is a socket, but not of a stream"
        }
        if option(SO_ACCEPTCONN, of: descriptor) == 1 { return "it is a listening socket, not a connected one" }
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &address) { address in
            // SAFETY: a sockaddr_storage has room and alignment for every kind of address.
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
        }
        return result == 0 ? nil : "it is a socket that is not connected"
    }

    /// Connects to one address.
    /// - Throws: `.stalled` once the deadline has passed.
    static func connect(
        to address: SocketAddress, until deadline: MonotonicTime?, _ cancellation: Cancellation
    ) throws(TransferFailure) -> Endpoint {
        let endpoint: Endpoint
        do { endpoint = try make(address.family, nonblocking: true) } catch { throw .system(error) }
        let descriptor = endpoint.descriptor
        if address.withPointer({ Glibc.connect(descriptor, $0, $1) }) != 0 {
            // Interrupted, it goes on connecting in the background as well: connect(2).
            guard [EINPROGRESS, EINTR].contains(errno) else { throw .system(.last) }
            try cancellation.wait(for: POLLOUT, on: descriptor, until: deadline)
            let error = option(SO_ERROR, of: descriptor)
            guard error == 0 else { throw .system(Errno(rawValue: error)) }
        }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        tune(descriptor)
        return endpoint
    }

    static func option(_ name: CInt, of descriptor: CInt) -> CInt {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : errno
    }

    @discardableResult
    static func set(_ name: CInt, level: CInt = SOL_SOCKET, to value: CInt, on descriptor: CInt) -> Bool {
        var value = value
        return setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<CInt>.size)) == 0
    }
}
