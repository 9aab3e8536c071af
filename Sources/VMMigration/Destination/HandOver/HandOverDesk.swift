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
    /// Ends the waiting of its thread for visitors, but not the answer to one who is there.
    private let ending: Cancellation
    /// That of the connections of visitors, which nobody cancels: their time is bounded.
    private let visit: Cancellation
    private let thread = Monitor<pthread_t?>(nil)

    private static let stackSize = 256 << 10
    /// How often to look whether there is anybody to ask.
    private static let interval = Duration.milliseconds(200)
    /// How long to wait where nobody can be received for now.
    private static let pause = Duration.milliseconds(100)

    /// - Parameter source: who is about to move the guest here.
    init(_ reception: Reception, _ source: Visitor, _ decision: HandOverDecision) throws(MigrationError) {
        self.reception = reception
        self.decision = decision
        main = source.channel
        self.source = PeerProcess(source.channel.connection, named: source.hello.process)
        (ending, visit) = try MigrationError.wrap(MigrationError.transport) { () throws(TransportError) in
            (try Cancellation(), try Cancellation())
        }
    }

    /// Begins, in a thread of its own.
    func open() throws(MigrationError) {
        do throws(Errno) {
            let started = try HostThread.start(stackSize: Self.stackSize) { [self] in
                while !ending.isCancelled { serve(until: nil, [ending]) }
            }
            thread.withLock { $0 = started }
        } catch {
            throw .thread(error)
        }
    }

    /// Ends that. Who is in the middle of being answered gets his answer first, which takes some seconds at most: it has to be
    /// decided by now.
    func close() {
        ending.cancel()
        let started = thread.withLock { $0.take() }
        if let started { pthread_join(started, nil) }
    }

    /// Answers in this thread, until the source knows, or its process has ended, or the time is over.
    /// - Parameter cancellations: end it early.
    func answer(for time: Duration, _ cancellations: [Cancellation]) {
        let deadline = MonotonicTime.now.advanced(by: time)
        while !decision.isSettled, MonotonicTime.now < deadline, !source.hasEnded(within: .zero),
            !cancellations.contains(where: \.isCancelled)
        {
            serve(until: min(deadline, .now.advanced(by: Self.interval)), cancellations)
        }
    }

    /// Receives the next visitor, if one comes in time.
    private func serve(until deadline: MonotonicTime?, _ cancellations: [Cancellation]) {
        do throws(MigrationError) {
            if let visitor = try reception.next(until: deadline, visit, cancellations) { handle(visitor) }
        } catch .cancelled {
        } catch {
            // The process or the host lacks descriptors or memory, which passes.
            try? visit.wait(for: 0, on: -1, until: .now.advanced(by: Self.pause))
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
