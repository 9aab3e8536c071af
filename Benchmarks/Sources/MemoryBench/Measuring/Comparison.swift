/// What an operation costs, in nanoseconds: medians.
struct Comparison {
    var ours: Double
    var baseline: Double

    init(_ medians: (ours: Double, baseline: Double)) {
        (ours, baseline) = medians
    }
}

/// A case that this host cannot measure, and why.
struct Skipped: Error {
    let reason: String
}
