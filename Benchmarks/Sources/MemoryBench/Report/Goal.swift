import BenchmarkSupport

/// What a case is to reach.
enum Goal {
    /// At most so many times what the peer takes.
    case timesPeer(Double)
    /// At least so many times faster than the peer.
    case timesFasterThanPeer(Double)
    /// At most so many times what C takes for another case.
    case timesBaseline(of: String, Double)
    /// At most so many nanoseconds.
    case nanoseconds(Double)

    var description: String {
        switch self {
        case .timesPeer(let factor): "<= \(factor.decimal(1)) x peer"
        case .timesFasterThanPeer(let factor): ">= \(factor.decimal(factor < 10 ? 1 : 0)) x faster"
        case .timesBaseline(let name, let factor): "<= \(factor.decimal(2)) x C's \(name)"
        case .nanoseconds(let limit): "<= \(limit.decimal(0)) ns"
        }
    }

    /// Whether a result reaches it; nil where what it is to be compared with was not measured.
    func isMet(by result: Result, among results: [String: Result]) -> Bool? {
        switch self {
        case .timesPeer(let factor): result.peer.map { result.ours <= factor * $0 }
        case .timesFasterThanPeer(let factor): result.peer.map { result.ours * factor <= $0 }
        case .timesBaseline(let name, let factor): results[name].map { result.ours <= factor * $0.baseline }
        case .nanoseconds(let limit): result.ours <= limit
        }
    }
}
