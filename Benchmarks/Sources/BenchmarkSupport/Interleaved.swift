/// Runs ours and the baseline by turns, so that what else the machine does hits both alike.
///
/// Which of the two goes first changes from pair to pair: what one leaves for the kernel to clean up is the other's turn
/// to suffer.
public func interleaved<Sample>(
    pairs: Int, ours: () throws -> Sample, baseline: () throws -> Sample
) rethrows -> (ours: [Sample], baseline: [Sample]) {
    // The first ones warm up the host's memory and caches.
    for _ in 0..<2 {
        _ = try ours()
        _ = try baseline()
    }
    var samples: (ours: [Sample], baseline: [Sample]) = ([], [])
    for pair in 0..<pairs {
        if pair.isMultiple(of: 2) { samples.ours.append(try ours()) }
        samples.baseline.append(try baseline())
        if !pair.isMultiple(of: 2) { samples.ours.append(try ours()) }
    }
    return samples
}

/// The medians of what is measured by turns.
public func interleavedMedians(
    pairs: Int, ours: () throws -> Double, baseline: () throws -> Double
) rethrows -> (ours: Double, baseline: Double) {
    let samples = try interleaved(pairs: pairs, ours: ours, baseline: baseline)
    return (median(samples.ours), median(samples.baseline))
}

public func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
