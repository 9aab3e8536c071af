import SystemPackage
import VMHost

extension Connection {
    /// Connects to the receiving side, or opens what is to be written.
    ///
    /// A file is created beside `PATH` and gets its name by `finish()`. A descriptor belongs to the connection from here on.
    /// - Parameters:
    ///   - deadline: until when to try again where nobody listens yet, and to wait for an answer; nil to try once and wait
    ///     as long as the kernel does.
    ///   - cancellation: ends the attempt, and then cancels the connection; one of its own where nil.
    /// - Throws: `TransportError`.
    public static func connect(
        _ uri: MigrationURI, deadline: ContinuousClock.Instant? = nil, backend: IOBackend = .auto,
        cancellation: Cancellation? = nil
    ) throws(TransportError) -> Connection {
        let cancellation = if let cancellation { cancellation } else { try Cancellation() }
        // First, so that an impossible wish leaves a descriptor alone.
        _ = try backend.resolved()
        if cancellation.isCancelled { throw .cancelled(uri) }
        switch uri.target {
        case .unix, .tcp:
            let end = deadline.map { MonotonicTime.now.advanced(by: $0 - .now) }
            return try Connection(
                uri, try connectSocket(uri, until: end, cancellation), .sending, backend, cancellation)
        case .descriptor(let number):
            return try Connection(
                uri, try Endpoint(adopting: number, for: .sending, uri), .sending, backend, cancellation)
        case .file(let path):
            let output = try OutputFile(path, uri)
            let endpoint = Endpoint(owning: output.descriptor, kind: .file)
            return try Connection(uri, endpoint, .sending, output: output, backend, cancellation)
        }
    }

    /// How long to wait before the next attempt.
    private static let pause = Duration.milliseconds(20)

    private static func connectSocket(
        _ uri: MigrationURI, until deadline: MonotonicTime?, _ cancellation: Cancellation
    ) throws(TransportError) -> Endpoint {
        let addresses = try SocketAddress.all(of: uri)
        var reason = Errno.addressNotAvailable
        while true {
            for address in addresses {
                do throws(TransferFailure) {
                    return try StreamSocket.connect(to: address, until: deadline, cancellation)
                } catch {
                    switch error {
                    case .cancelled: throw .cancelled(uri)
                    // Before, perhaps, it was known why.
                    case .stalled: throw failure(uri, mayListenLater(reason) ? reason : .timedOut)
                    case .system(let errno): reason = errno
                    }
                }
            }
            guard let deadline, MonotonicTime.now < deadline, mayListenLater(reason) else { break }
            do throws(TransferFailure) {
                try cancellation.wait(for: 0, on: -1, until: min(deadline, .now.advanced(by: pause)))
            } catch {
                if error == .cancelled { throw .cancelled(uri) }
            }
        }
        throw failure(uri, reason)
    }

    private static func failure(_ uri: MigrationURI, _ reason: Errno) -> TransportError {
        [.connectionRefused, .noSuchFileOrDirectory].contains(reason)
            ? .refused(uri, reason) : .cannotConnect(uri, reason)
    }

    /// The last where the listener has as many waiting as it can have.
    private static func mayListenLater(_ errno: Errno) -> Bool {
        [.connectionRefused, .noSuchFileOrDirectory, .resourceTemporarilyUnavailable].contains(errno)
    }
}
