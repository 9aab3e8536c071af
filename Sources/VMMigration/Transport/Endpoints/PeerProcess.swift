import Glibc

/// The process at the other end of a `unix:` connection, where the kernel and it agree on which one that is.
///
/// The kernel knows the one that listened or connected (unix(7)), which may relay what goes over the socket for another
/// (`ssh -L`, `socat`), and whose end says nothing. So it counts only where the other side has said in its hello that it is
/// this very process. Of other connections nothing is known.
struct PeerProcess: ~Copyable {
    /// A pidfd (pidfd_open(2)), readable once the process has ended; nil where nothing is known.
    private let descriptor: CInt?

    /// SO_PEERPIDFD; since Linux 6.5.
    private static let descriptorOption: CInt = 77

    /// - Parameter name: as the other side has named itself, on this connection (`Hello.process`).
    init(_ connection: Connection, named name: String) {
        guard case .unix = connection.uri.target else {
            descriptor = nil
            return
        }
        let socket = connection.endpoint.descriptor
        guard let descriptor: CInt = Self.option(Self.descriptorOption, of: socket, -1) else {
            self.descriptor = nil
            return
        }
        // Process, user and group: struct ucred.
        let credentials = Self.option(SO_PEERCRED, of: socket, (pid_t(0), uid_t(0), gid_t(0)))
        // One that lives still had its number to itself when the name was said.
        guard let number = credentials?.0, ProcessName.isName(name, of: number),
            !Self.hasEnded(descriptor, within: .zero)
        else {
            close(descriptor)
            self.descriptor = nil
            return
        }
        self.descriptor = descriptor
    }

    deinit {
        if let descriptor { close(descriptor) }
    }

    /// Whether it is known to have ended.
    /// - Parameter time: how long to wait for that.
    func hasEnded(within time: Duration) -> Bool {
        guard let descriptor else { return false }
        return Self.hasEnded(descriptor, within: time)
    }

    private static func hasEnded(_ descriptor: CInt, within time: Duration) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let result = poll(&polled, 1, CInt(clamping: time.nanoseconds / 1_000_000))
            if result >= 0 || errno != EINTR { return result > 0 && CInt(polled.revents) & POLLIN != 0 }
        }
    }

    /// - Returns: nil where the kernel does not say.
    private static func option<Value>(_ name: CInt, of socket: CInt, _ initial: Value) -> Value? {
        var value = initial
        var length = socklen_t(MemoryLayout<Value>.size)
        let result = withUnsafeMutableBytes(of: &value) {
            getsockopt(socket, SOL_SOCKET, name, $0.baseAddress, &length)
        }
        return result == 0 ? value : nil
    }
}
