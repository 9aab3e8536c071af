/// xorshift64 (Marsaglia, 2003): the same numbers in every run.
public struct Xorshift {
    private var state: UInt64

    /// - Parameter seed: not 0.
    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
