import Glibc
import SystemPackage
import VMHost

/// The descriptor of a connection, closed with it.
struct Endpoint: ~Copyable {
    enum Kind: Hashable, Sendable {
        /// Connected, and a stream.
        case socket
        case pipe
        case file
        /// A character device or what else there is.
        case device
    }

    let descriptor: CInt
    let kind: Kind
    /// The status flags to put back at the end: whoever else has this pipe shares them.
    private let flags: CInt?

    /// Takes over a descriptor that was just opened, with FD_CLOEXEC.
    init(owning descriptor: CInt, kind: Kind) {
        self.descriptor = descriptor
        self.kind = kind
        flags = nil
    }

    /// Takes over a descriptor that the process has been given. Where it is unsuitable it stays open and as it was.
    init(adopting number: CInt, for direction: TransferDirection, _ uri: MigrationURI) throws(TransportError) {
        func unsuitable(_ reason: String) -> TransportError { .unsuitableDescriptor(uri, reason: reason) }
        let flags = fcntl(number, F_GETFL)
        var status = stat()
        guard flags >= 0, fstat(number, &status) == 0 else {
            throw unsuitable(
                "no such descriptor is open in this process; was it passed on when the process was started?")
        }
        let kind: Kind
        switch status.st_mode & S_IFMT {
        case S_IFSOCK:
            if let reason = StreamSocket.unsuitability(of: number) { throw unsuitable(reason) }
            kind = .socket
        case S_IFDIR: throw unsuitable("it is a directory")
        case S_IFIFO: kind = .pipe
        case S_IFREG: kind = .file
        default: kind = .device
        }
        let access = flags & O_ACCMODE
        guard kind == .socket || access == O_RDWR || access == (direction == .sending ? O_WRONLY : O_RDONLY) else {
            throw unsuitable("it is not open for \(direction == .sending ? "writing" : "reading")")
        }
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        if kind == .socket { StreamSocket.tune(number) }
        self.descriptor = number
        self.kind = kind
        self.flags = kind == .pipe ? flags : nil
    }

    deinit {
        if let flags { _ = fcntl(descriptor, F_SETFL, flags) }
        close(descriptor)
    }

    /// Puts a pipe into the mode that its transfers need.
    func setBlocking(_ isBlocking: Bool) {
        guard let flags else { return }
        _ = fcntl(descriptor, F_SETFL, isBlocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK)
    }
}
