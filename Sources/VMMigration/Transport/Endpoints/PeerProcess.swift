import Glibc

/// The process at the other end of a `unix:` connection, as far as the kernel knows it: the one that listened.
///
/// Of other connections nothing is known. Where a program relays what goes over the socket, it is that program.
struct PeerProcess: ~Copyable {
    /// A pidfd (pidfd_open(2)), readable once the process has ended; nil where nothing is known.
    private let descriptor: CInt?

    /// unix(7); since Linux 6.5.
    private static let socketOption: CInt = 77

    init(_ connection: Connection) {
        guard case .unix = connection.uri.target else {
            descriptor = nil
            return
        }
        var found: CInt = -1
        var length = socklen_t(MemoryLayout<CInt>.size)
        let result = getsockopt(
            connection.endpoint.descriptor, SOL_SOCKET, Self.socketOption, &found, &length)
        descriptor = result == 0 ? found : nil
    }

    deinit {
        if let descriptor { close(descriptor) }
    }

    /// Whether it is known to have ended.
    /// - Parameter time: how long to wait for that.
    func hasEnded(within time: Duration) -> Bool {
        guard let descriptor else { return false }
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let result = poll(&polled, 1, CInt(clamping: time.nanoseconds / 1_000_000))
            if result >= 0 || errno != EINTR { return result > 0 && CInt(polled.revents) & POLLIN != 0 }
        }
    }
}
