/// How long requests took: their number, the longest, and the others by size, so that what is added costs no memory.
public struct RequestLatencies: Hashable, Sendable {
    public private(set) var count: UInt64 = 0
    public private(set) var longest = Duration.zero
    /// How many took how long: eight buckets for each power of two of nanoseconds.
    private var buckets: [UInt32] = []

    public init() {}

    /// The middle one, up to an eighth too long; nil where there was none.
    public var median: Duration? {
        guard count > 0 else { return nil }
        var before: UInt64 = 0
        for (index, number) in buckets.enumerated() {
            before += UInt64(number)
            if before * 2 >= count { return min(longest, .nanoseconds(Self.end(of: index))) }
        }
        return longest
    }

    mutating func add(_ latency: Duration) {
        let index = Self.bucket(of: UInt64(max(1, latency.nanoseconds)))
        if index >= buckets.count { buckets += [UInt32](repeating: 0, count: index + 1 - buckets.count) }
        if buckets[index] < .max { buckets[index] += 1 }
        count &+= 1
        longest = max(longest, latency)
    }

    private static func bucket(of nanoseconds: UInt64) -> Int {
        let power = 63 - nanoseconds.leadingZeroBitCount
        let eighth = power >= 3 ? (nanoseconds >> UInt64(power - 3)) & 7 : 0
        return power * 8 + Int(eighth)
    }

    /// The longest that is in it, in nanoseconds.
    private static func end(of bucket: Int) -> Int64 {
        let (power, eighth) = (bucket / 8, bucket % 8)
        guard power >= 3 else { return 1 << Int64(power + 1) }
        return Int64(clamping: (UInt64(9 + eighth) << UInt64(power - 3)) &- 1)
    }
}
