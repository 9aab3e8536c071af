import Glibc
import SystemPackage
import VMHost

/// Receives everybody who connects, until he has said hello. Who does not say it soon, or something else, such as whoever looks
/// which ports are open, is sent away and reported, and keeps nobody waiting.
final class Reception: @unchecked Sendable {
    // SAFETY: `waiting` is touched by `next` alone. One thread at a time calls it: the one that receives, then that of
    // `HandOverDesk`, then whichever goes on, each started by the one before or joined by the one after.
    private let listener: Listener
    private let backend: IOBackend
    private let stallTimeout: Duration
    private let progressTimeout: Duration
    private let report: @Sendable (String) -> Void
    private var waiting: [WaitingVisitor] = []

    /// How long a visitor has to say hello: less than a source waits for the answer, so that it need not fail for another's
    /// silence.
    private static let helloTime = Duration.seconds(5)
    /// How often to look for the rest of a hello.
    private static let partInterval = Duration.milliseconds(20)
    /// The longest-waiting goes when there are more.
    private static let waitingLimit = 32

    /// - Parameter report: gets a line for each who was sent away. Called in the thread of `next`.
    init(
        _ listener: consuming Listener, _ backend: IOBackend, stallTimeout: Duration, progressTimeout: Duration,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.listener = listener
        self.backend = backend
        self.stallTimeout = stallTimeout
        self.progressTimeout = progressTimeout
        self.report = report
    }

    /// The next who has said hello. Of a file or a descriptor there is one, whose errors are thrown.
    /// - Parameters:
    ///   - cancellation: ends the waiting, and is that of the connection.
    ///   - others: end the waiting as well.
    /// - Returns: nil where there is none before the deadline.
    /// - Throws: `cancelled`, `transport`, `stream`.
    func next(
        until deadline: MonotonicTime?, _ cancellation: Cancellation, _ others: [Cancellation] = []
    ) throws(MigrationError) -> Visitor? {
        guard let descriptor = listener.descriptor else { return try only(cancellation) }
        while true {
            if cancellation.isCancelled || others.contains(where: \.isCancelled) { throw .cancelled }
            if let visitor = firstReady(cancellation) { return visitor }
            if let deadline, MonotonicTime.now >= deadline { return nil }
            wait(descriptor, until: deadline, [cancellation] + others)
            try MigrationError.wrap(MigrationError.transport) { () throws(TransportError) in try acceptAll() }
        }
    }

    /// Sends a visitor away, and says so.
    func dismiss(_ visitor: Visitor, _ reason: String) {
        visitor.refuse(reason)
        reportStray(reason)
    }

    // MARK: Those who wait

    private func acceptAll() throws(TransportError) {
        while let endpoint = try listener.acceptWaiting() {
            if waiting.count == Self.waitingLimit {
                waiting.removeFirst()
                reportStray("there were too many at once that said nothing")
            }
            waiting.append(WaitingVisitor(endpoint, until: .now.advanced(by: min(stallTimeout, Self.helloTime))))
        }
    }

    private func firstReady(_ cancellation: Cancellation) -> Visitor? {
        var index = 0
        while index < waiting.count {
            switch waiting[index].state {
            case .waiting(let hasBegun):
                guard MonotonicTime.now >= waiting[index].deadline else {
                    index += 1
                    continue
                }
                waiting.remove(at: index)
                reportStray(hasBegun ? "its hello did not come to an end" : "nothing was said")
            case .stray(let reason):
                waiting.remove(at: index)
                reportStray(reason)
            case .ready:
                let candidate = waiting.remove(at: index)
                if let visitor = greet(candidate, cancellation) { return visitor }
            }
        }
        return nil
    }

    /// - Returns: nil where what looked like a hello is none.
    private func greet(_ candidate: WaitingVisitor, _ cancellation: Cancellation) -> Visitor? {
        guard let open = candidate.take() else { return nil }
        do throws(TransportError) {
            return visitor(on: try Connection(listener.uri, open, .receiving, backend, cancellation))
        } catch {
            reportStray("\(error)")
            return nil
        }
    }

    private func visitor(on connection: Connection) -> Visitor? {
        let channel = channel(connection)
        do throws(MigrationError) {
            let (hello, version) = try channel.readHello()
            return Visitor(channel: channel, hello: hello, version: version)
        } catch {
            // So that a program of another age hears of it.
            channel.abort("\(error)")
            reportStray("\(error)")
            return nil
        }
    }

    private func channel(_ connection: Connection) -> DestinationChannel {
        connection.stallTimeout = stallTimeout
        return DestinationChannel(connection, progressTimeout: progressTimeout)
    }

    private func reportStray(_ reason: String) {
        report("\(listener.uri): a connection was turned away: \(String(printable: reason, limit: Abort.reasonLimit))")
    }

    /// Whoever can be had from what is no socket that listens.
    private func only(_ cancellation: Cancellation) throws(MigrationError) -> Visitor {
        let connection = try MigrationError.wrap(MigrationError.transport) { () throws(TransportError) in
            try listener.accept(backend: backend, cancellation: cancellation)
        }
        let channel = channel(connection)
        do throws(MigrationError) {
            let (hello, version) = try channel.readHello()
            return Visitor(channel: channel, hello: hello, version: version)
        } catch {
            channel.explain(error)
            throw error
        }
    }

    // MARK: Waiting

    private func wait(_ descriptor: CInt, until deadline: MonotonicTime?, _ cancellations: [Cancellation]) {
        var polled = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        polled += cancellations.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        var end = deadline
        for visitor in waiting {
            end = min(end ?? visitor.deadline, visitor.deadline)
            // One of whom a part is there would be found readable all the time.
            if case .waiting(hasBegun: true) = visitor.state {
                end = min(end ?? .now, .now.advanced(by: Self.partInterval))
            } else {
                polled.append(pollfd(fd: visitor.descriptor, events: Int16(POLLIN), revents: 0))
            }
        }
        var timeout: CInt = -1
        if let end {
            let now = MonotonicTime.now
            timeout = end <= now ? 0 : CInt(clamping: (end.nanoseconds - now.nanoseconds + 999_999) / 1_000_000)
        }
        // What it says is looked at anew in any case.
        _ = poll(&polled, nfds_t(polled.count), timeout)
    }
}
