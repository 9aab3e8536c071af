import SystemPackage
import VMHost

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
    /// - Parameters:
    ///   - side: the other one.
    ///   - limit: how long it may say nothing but that it is there.
    ///   - progress: what counts as progress as well, as it grows.
    /// - Throws: `refused` where it says that it has ended the migration; `noProgress`.
    mutating func nextWord(
        _ state: inout StreamState, of side: MigrationID.Side, within limit: Duration,
        progress: () -> UInt64 = { 0 }
    ) throws(MigrationError) -> Frame {
        var began = MonotonicTime.now
        var reached = progress()
        while true {
            let frame: Frame
            do throws(StreamFailure<TransportError>) {
                frame = try next(&state)
            } catch {
                throw MigrationError(error)
            }
            switch frame.type {
            case .keepalive:
                let now = progress()
                if now != reached { (reached, began) = (now, .now) }
                guard .now - began < limit else { throw .noProgress(by: side, after: limit) }
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
