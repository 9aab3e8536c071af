import BenchmarkSupport

/// What came of a case, in nanoseconds for one operation: of each, the lowest of the medians of all rounds.
struct Result {
    var ours = Double.infinity
    var baseline = Double.infinity
    /// Nil where there is no peer, or it does not have the case.
    var peer: Double?

    var ratio: Double { ours / baseline }
    var timesFasterThanPeer: Double? { peer.map { $0 / ours } }

    mutating func merge(_ round: Comparison, peer: Double?) {
        ours = min(ours, round.ours)
        baseline = min(baseline, round.baseline)
        if let peer { self.peer = min(self.peer ?? .infinity, peer) }
    }
}
