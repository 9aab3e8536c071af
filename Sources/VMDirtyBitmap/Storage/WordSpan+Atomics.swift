import Synchronization

/// The run's bits in words that threads share; the pointers are to bit 0, and all of the run is there.
extension WordSpan {
    /// The lowest of the bits that is set, as loads that acquire find it.
    @inlinable
    @inline(__always)
    package func firstSet(in words: UnsafePointer<Atomic<UInt64>>) -> UInt64? {
        var word = self.words.lowerBound
        while word < self.words.upperBound {
            let bits = words[Int(truncatingIfNeeded: word)].load(ordering: .acquiring) & mask(ofWord: word)
            if bits != 0 { return word &<< 6 | UInt64(truncatingIfNeeded: bits.trailingZeroBitCount) }
            word &+= 1
        }
        return nil
    }

    /// Sets or clears the bits: in each word at once, by a read-modify-write that releases. Where nothing changes nothing
    /// is written, so that fresh pages of zeros stay so.
    package func set(_ value: Bool, in words: UnsafeMutablePointer<Atomic<UInt64>>) {
        for word in self.words {
            let shared = words + Int(word)
            let mask = mask(ofWord: word)
            let found = shared.pointee.load(ordering: .relaxed) & mask
            if value {
                if found != mask { shared.pointee.bitwiseOr(mask, ordering: .releasing) }
            } else {
                if found != 0 { shared.pointee.bitwiseAnd(~mask, ordering: .releasing) }
            }
        }
    }
}
