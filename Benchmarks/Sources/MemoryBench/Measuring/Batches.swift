import BenchmarkSupport

/// How operations too short for the clock are measured: many times in one go.
enum Batches {
    static let count = 101
    /// How long one takes: long against the clock's own cost, short against the time that the host gives a thread.
    static let nanoseconds = 3e6

    /// Both are called with the number of times to do it, and have a loop of their own: what is timed is compiled in one
    /// piece.
    static func compare(
        ours: (UInt64) throws -> Void, baseline: (UInt64) throws -> Void
    ) throws -> Comparison {
        let lengths = (ours: try calibratedLength(ours), baseline: try calibratedLength(baseline))
        return Comparison(
            try interleavedMedians(
                pairs: count,
                ours: { try nanoseconds(of: ours, lengths.ours) / Double(lengths.ours) },
                baseline: { try nanoseconds(of: baseline, lengths.baseline) / Double(lengths.baseline) }))
    }

    private static func calibratedLength(_ batch: (UInt64) throws -> Void) throws -> UInt64 {
        var length: UInt64 = 1
        while true {
            let taken = try nanoseconds(of: batch, length)
            if taken >= nanoseconds { return length }
            let isFarOff = taken < nanoseconds / 20
            length = isFarOff ? length * 8 : UInt64(Double(length) * nanoseconds / taken * 1.05) + 1
        }
    }

    private static func nanoseconds(of batch: (UInt64) throws -> Void, _ length: UInt64) throws -> Double {
        let started = monotonicNanoseconds()
        try batch(length)
        return Double(monotonicNanoseconds() - started)
    }
}
