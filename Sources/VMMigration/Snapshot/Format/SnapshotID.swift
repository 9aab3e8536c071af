/// What a snapshot is known by, whatever its file is called: 16 random bytes.
public struct SnapshotID: Hashable, Sendable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    /// A new one.
    public init() {
        self.init(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    }

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// What stands where there is none.
    static let none = SnapshotID(high: 0, low: 0)

    /// 32 hexadecimal digits.
    public var description: String {
        [high, low].map { number in
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
