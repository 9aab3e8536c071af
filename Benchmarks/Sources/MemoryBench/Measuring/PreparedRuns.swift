import BenchmarkSupport

/// Something to be timed that needs to be prepared anew each time, which is not timed.
struct PreparedRun {
    let prepare: () throws -> Void
    let run: () throws -> Void

    func nanoseconds() throws -> Double {
        try prepare()
        let started = monotonicNanoseconds()
        try run()
        return Double(monotonicNanoseconds() - started)
    }
}

/// How operations are measured that use up what they work on.
enum PreparedRuns {
    /// Operations of many microseconds, each timed by itself.
    static func compare(samples: Int, ours: PreparedRun, baseline: PreparedRun) throws -> Comparison {
        Comparison(try interleavedMedians(pairs: samples, ours: ours.nanoseconds, baseline: baseline.nanoseconds))
    }

    /// Shorter ones, of which a run does `operations`: as many runs to a sample as last for a batch.
    static func compareBatches(operations: Int, ours: PreparedRun, baseline: PreparedRun) throws -> Comparison {
        Comparison(
            try interleavedMedians(
                pairs: Batches.count,
                ours: { try batch(ours, operations) },
                baseline: { try batch(baseline, operations) }))
    }

    private static func batch(_ run: PreparedRun, _ operations: Int) throws -> Double {
        var total = 0.0
        var runs = 0
        while total < Batches.nanoseconds {
            total += try run.nanoseconds()
            runs += 1
        }
        return total / Double(runs * operations)
    }
}
