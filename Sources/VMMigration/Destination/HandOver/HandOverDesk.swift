import Glibc
import SystemPackage
import VMHost

/// Answers the source when it asks what has become of the guest, and sends others away, while another thread receives it, and
/// afterwards until the source knows.
final class HandOverDesk: Sendable {
    let decision: HandOverDecision
    private let reception: Reception
    private let main: DestinationChannel
    private let source: PeerProcess
    private let ending: Cancellation
    private let thread = Monitor<pthread_t?>(nil)

    private static let stackSize = 256 << 10
    /// How often to look whether there is anybody to ask.
    private static let interval = Duration.milliseconds(200)

    init(
        _ reception: Reception, _ main: DestinationChannel, _ decision: HandOverDecision
    ) throws(MigrationError) {
        self.reception = reception
        self.main = main
        self.decision = decision
        source = PeerProcess(main.connection)
        ending = try MigrationError.wrap(MigrationError.transport) { () throws(TransportError) in try Cancellation() }
    }

    /// Begins, in a thread of its own.
    func open() throws(MigrationError) {
        do throws(Errno) {
            let started = try HostThread.start(stackSize: Self.stackSize) { [self] in
                while let visitor = try? reception.next(until: nil, ending) { handle(visitor) }
            }
            thread.withLock { $0 = started }
        } catch {
            throw .thread(error)
        }
    }

    /// Ends that. Nobody is in the middle of being answered then.
    func close() {
        ending.cancel()
        let started = thread.withLock { $0.take() }
        if let started { pthread_join(started, nil) }
    }

    /// Answers in this thread, until the source knows, or its process has ended, or the time is over.
    /// - Parameter cancellations: end it early.
    func answer(for time: Duration, _ cancellations: [Cancellation]) {
        guard let own = try? Cancellation() else { return }
        let deadline = MonotonicTime.now.advanced(by: time)
        while !decision.isSettled, MonotonicTime.now < deadline, !source.hasEnded(within: .zero) {
            do throws(MigrationError) {
                let slice = min(deadline, .now.advanced(by: Self.interval))
                if let visitor = try reception.next(until: slice, own, cancellations) { handle(visitor) }
            } catch {
                return
            }
        }
    }

    private func handle(_ visitor: Visitor) {
        guard visitor.isAsking else {
            return reception.dismiss(
                visitor, "another guest is on its way here, or has come; nobody can move one here any more")
        }
        guard visitor.hello.migration == decision.migration else {
            return reception.dismiss(visitor, "nothing is known here of the guest of that migration")
        }
        // Whoever asks has given the link up: nothing that is still to come on it counts.
        main.connection.endReceiving()
        if (try? visitor.tell(decision.verdict)) != nil { decision.settle() }
    }
}
