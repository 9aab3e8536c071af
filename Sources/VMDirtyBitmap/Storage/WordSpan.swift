/// The words that hold a run of bits, such as those of pages, the first and the last perhaps only in part. The lowest bit
/// of the first word is number 0.
@frozen
@usableFromInline
package struct WordSpan {
    /// Empty for no bits.
    @usableFromInline package let words: Range<UInt64>
    /// The bits of the first word that are in the run, if it were not for the run's end.
    @usableFromInline let headMask: UInt64
    /// The bits of the last word that are in the run, if it were not for the run's start.
    @usableFromInline let tailMask: UInt64

    @inlinable
    package init(_ bits: ClosedRange<UInt64>) {
        words = (bits.lowerBound &>> 6)..<((bits.upperBound &>> 6) &+ 1)
        headMask = Self.headMask(bits.lowerBound)
        tailMask = Self.tailMask(bits.upperBound)
    }

    /// - Parameter limit: bits from here on are left out.
    @inlinable
    init(_ bits: Range<UInt64>, limit: UInt64) {
        let upperBound = min(bits.upperBound, limit)
        if bits.lowerBound < upperBound {
            self.init(bits.lowerBound...(upperBound &- 1))
        } else {
            self.init()
        }
    }

    @inlinable
    init() {
        words = 0..<0
        headMask = 0
        tailMask = 0
    }

    /// The bits from one to the end of its word.
    @inlinable
    @inline(__always)
    static func headMask(_ bit: UInt64) -> UInt64 { ~0 &<< (bit & 63) }

    /// The bits from the start of one's word up to it.
    @inlinable
    @inline(__always)
    static func tailMask(_ bit: UInt64) -> UInt64 { ~0 &>> (63 &- (bit & 63)) }

    /// The bits of one of the words that are in the run.
    @inlinable
    package func mask(ofWord word: UInt64) -> UInt64 {
        var mask: UInt64 = ~0
        if word == words.lowerBound { mask &= headMask }
        if word == words.upperBound &- 1 { mask &= tailMask }
        return mask
    }

    /// The words all of whose bits are in the run.
    @inlinable
    var wholeWords: Range<UInt64> {
        let lowerBound = words.lowerBound &+ (headMask == ~0 ? 0 : 1)
        let upperBound = words.upperBound &- (tailMask == ~0 || words.isEmpty ? 0 : 1)
        return lowerBound < upperBound ? lowerBound..<upperBound : 0..<0
    }

    /// The words' own bits in the word of the summary at `index`.
    @inlinable
    static func summaryBits(of words: Range<UInt64>, at index: UInt64) -> UInt64 {
        let first = index &<< 6
        let lowerBound = max(words.lowerBound, first)
        let upperBound = min(words.upperBound, first &+ 64)
        guard lowerBound < upperBound else { return 0 }
        return headMask(lowerBound) & tailMask(upperBound &- 1)
    }
}
