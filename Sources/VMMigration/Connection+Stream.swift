import SystemPackage

extension Connection: ByteSink, ByteSource {}

extension TransportError {
    /// Whether the peer's end is closed, or the peer is gone: it reads and writes no more. (A host of the network that forges
    /// resets is not reckoned with.)
    var isPeerGone: Bool {
        switch self {
        case .closed: true
        case .lost(_, _, let errno): errno == .connectionReset || errno == .brokenPipe
        default: false
        }
    }
}

extension FrameReader<Connection> {
    /// The next frame that says something.
    /// - Parameter side: the other one.
    /// - Throws: `refused` where it says that it has ended the migration.
    mutating func nextWord(
        _ state: inout StreamState, of side: MigrationID.Side
    ) throws(MigrationError) -> Frame {
        while true {
            let frame: Frame
            do throws(StreamFailure<TransportError>) {
                frame = try next(&state)
            } catch {
                throw MigrationError(error)
            }
            switch frame.type {
            case .keepalive: continue
            case .abort:
                let abort: Abort = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
                    try frame.message()
                }
                throw .refused(by: side, abort.reason)
            default: return frame
            }
        }
    }
}
