extension RandomNumberGenerator {
    /// Chooses numbers at random, ascending, none twice: each set of so many is as likely as any other (Floyd's way, in
    /// Bentley's "Programming Pearls: A Sample of Brilliance", 1987).
    /// - Parameters:
    ///   - count: how many; all of them where there are fewer.
    ///   - limit: above the largest.
    mutating func distinctNumbers(_ count: Int, below limit: UInt64) -> [UInt64] {
        guard UInt64(max(count, 0)) < limit else { return Array(0..<limit) }
        var chosen: Set<UInt64> = []
        chosen.reserveCapacity(count)
        for last in (limit - UInt64(max(count, 0)))..<limit {
            let number = UInt64.random(in: 0...last, using: &self)
            if !chosen.insert(number).inserted { chosen.insert(last) }
        }
        return chosen.sorted()
    }
}
