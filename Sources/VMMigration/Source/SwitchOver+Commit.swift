import VMHost

/// The moment at which the guest changes hands: see `HandOverDecision`.
extension SwitchOver {
    /// How long a process takes to end once its descriptors are closed.
    private static let exitTime = Duration.seconds(1)
    /// Between two attempts to ask.
    private static let pause = Duration.milliseconds(100)

    /// Gives the guest away, and waits until it is known to run.
    /// - Returns: why the link was lost, where the guest runs nevertheless.
    /// - Throws: the guest is this side's still; but for `inDoubt`.
    func commit() throws(MigrationError) -> MigrationError? {
        let main = link.main
        let destination = PeerProcess(main.connection, named: main.peer)
        do throws(MigrationError) {
            try main.send(.commit)
        } catch {
            // The kernel has taken nothing of it for a peer that is gone. Otherwise, it may have taken all of it.
            if case .transport(let error) = error, error.isPeerGone { throw .transport(error) }
            if case .refused = error { throw error }
            return try ask(destination, after: error)
        }
        migration.onStage(.committed)
        do throws(MigrationError) {
            // Nothing but that it runs, or an abort, may come here.
            _ = try main.nextFrame()
        } catch .refused(let side, let reason) {
            throw .refused(by: side, reason)
        } catch {
            // The guest has ended with the process that had it.
            if case .transport(let error) = error, error.isPeerGone, destination.hasEnded(within: Self.exitTime) {
                throw .transport(error)
            }
            return try ask(destination, after: error)
        }
        // Whether or not the destination hears it: it then waits in vain for a question.
        if !main.isInPostCopy { try? main.send(.settled) }
        return nil
    }

    // MARK: Doubt

    /// Asks the destination what has become of the guest, until it answers, or for as long as is worthwhile: in post-copy until
    /// somebody gives up, as the guest may be waiting for its memory there.
    /// - Returns: `error`, where the guest runs there.
    private func ask(
        _ destination: borrowing PeerProcess, after error: MigrationError
    ) throws(MigrationError) -> MigrationError {
        guard migration.uri.canBeRejoined else { throw .inDoubt(error) }
        // Nothing that was said on it counts any more, on either side.
        link.main.connection.shutDown()
        migration.record.beginAsking(error)
        defer { migration.record.endAsking() }
        let deadline = link.main.isInPostCopy ? nil : MonotonicTime.now.advanced(by: migration.parameters.rejoinTimeout)
        while deadline.map({ MonotonicTime.now < $0 }) ?? true {
            if let isRunning = try? link.askVerdict(until: deadline) {
                guard isRunning else {
                    throw .refused(
                        by: .destination,
                        "the link was lost (\(error)) before the guest was given away, and it does not have it")
                }
                return error
            }
            if destination.hasEnded(within: .zero) { throw error }
            do throws(TransferFailure) {
                try migration.cancellation.wait(for: 0, on: -1, until: .now.advanced(by: Self.pause))
            } catch {
                guard error == .stalled else { break }
            }
        }
        throw .inDoubt(error)
    }
}
