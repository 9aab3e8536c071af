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
