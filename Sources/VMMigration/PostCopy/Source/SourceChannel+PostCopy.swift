import Glibc
import VMHost

/// In post-copy, a channel has two threads: one writes, the other reads. What the writer finds broken it leaves to the
/// reader to find out more about.
extension SourceChannel {
    /// Sends pages at once.
    func flush() throws(MigrationError) {
        try sendingAlone { (channel) throws(StreamFailure<TransportError>) in
            try channel.chunks.flush(to: &channel.writer)
        }
        try account()
    }

    /// Says which pages the destination lacks.
    func sendMissing(_ pages: PageSet) throws(MigrationError) {
        var list = MissingPagesWriter()
        let send = { (payload: UnsafeRawBufferPointer) throws(MigrationError) in
            try self.sendingAlone { (channel) throws(StreamFailure<TransportError>) in
                try channel.writer.send(.missing, payload)
            }
        }
        try pages.forEachRun { (run) throws(MigrationError) in try list.append(run, send) }
        try list.finish(send)
    }

    /// Sends a round without memory, and waits until what was sent before has been taken in.
    func sendRound(_ number: UInt64) throws(MigrationError) {
        try endRound(number, since: counts, isLast: false)
        try waitForRound(number)
    }

    private func sendingAlone(
        _ body: (SourceChannel) throws(StreamFailure<TransportError>) -> Void
    ) throws(MigrationError) {
        do throws(StreamFailure<TransportError>) { try body(self) } catch { throw MigrationError(error) }
    }
}

extension Connection {
    /// Ends both directions at once, whoever reads or writes: for a link that is to be replaced by another.
    func shutDown() {
        // One that has lost its peer needs no more.
        _ = shutdown(endpoint.descriptor, CInt(SHUT_RDWR))
    }
}
