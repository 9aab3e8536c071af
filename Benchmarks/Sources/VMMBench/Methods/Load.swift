import BenchmarkSupport

/// What a guest does to be tracked, and how often its pages are harvested.
struct Load: Hashable {
    /// Of 1 GiB, in per cent: pages anywhere, which it writes to in turns.
    let workingSet: Double
    /// How much it writes in a second, in MiB of pages; nil for as much as it can.
    let rate: UInt64?
    /// From one harvest to the next, in milliseconds.
    let interval: UInt64

    static let workingSets = [0.1, 1, 10, 50, 100]
    static let rates: [UInt64?] = [50, 200, 800, nil]
    static let intervals: [UInt64] = [100, 1000]

    static let all = workingSets.flatMap { set in
        rates.flatMap { rate in intervals.map { Load(workingSet: set, rate: rate, interval: $0) } }
    }

    var rateName: String { rate.map { "\($0) MiB/s" } ?? "max" }
    var intervalName: String { interval < 1000 ? "\(interval) ms" : "\(interval / 1000) s" }
    var bytesPerSecond: UInt64 { (rate ?? 0) << 20 }
}
