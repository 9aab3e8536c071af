import CBitCount

/// The runs of set bits in words: ascending, disjoint, none touching the next. Bit n of word m is number 64 * m + n.
@frozen
@usableFromInline
struct WordRuns: IteratorProtocol {
    // SAFETY: only made and used within a call of `withUnsafeBufferPointer` on the words.
    @usableFromInline let words: UnsafeBufferPointer<UInt64>
    /// The word that `rest` is of.
    @usableFromInline var index = 0
    /// What is left of it.
    @usableFromInline var rest: UInt64 = 0
    /// Which words of the eight before `nextGroup` have bits and are yet to come, the first in the lowest bit. Found out for all
    /// eight at once and without a branch for each, which a processor would guess wrongly where pages are far apart.
    @usableFromInline var pending: UInt64 = 0
    /// A multiple of 8.
    @usableFromInline var nextGroup = 0

    @inlinable
    init(_ words: UnsafeBufferPointer<UInt64>) {
        self.words = words
    }

    @inlinable
    @inline(__always)
    mutating func next() -> Range<UInt64>? {
        if rest == 0 {
            while pending == 0 {
                guard nextGroup < words.count else { return nil }
                pending = words.nonzeroWords(inGroupAt: nextGroup)
                nextGroup &+= 8
            }
            index = nextGroup &- 8 &+ pending.trailingZeroBitCount
            pending &= pending &- 1
            rest = words[index]
        }
        let low = UInt64(truncatingIfNeeded: rest.trailingZeroBitCount)
        let start = UInt64(truncatingIfNeeded: index) &<< 6 &+ low
        let ones = UInt64(truncatingIfNeeded: (~(rest &>> low)).trailingZeroBitCount)
        guard low &+ ones == 64 else {
            rest &= ~0 &<< (low &+ ones)
            return Range(uncheckedBounds: (start, start &+ ones))
        }
        return Range(uncheckedBounds: (start, endOfRun()))
    }

    /// The end of a run that goes on to the end of the word, and perhaps further.
    @inlinable
    mutating func endOfRun() -> UInt64 {
        index = words.firstNotFull(from: index &+ 1)
        rest = index < words.count ? words[index] : 0
        let ones = UInt64(truncatingIfNeeded: (~rest).trailingZeroBitCount)
        rest &= ~0 &<< ones
        let group = index & ~7
        nextGroup = group &+ 8
        pending = group < words.count ? words.nonzeroWords(inGroupAt: group) & ~0 &<< UInt64((index & 7) &+ 1) : 0
        return UInt64(truncatingIfNeeded: index) &<< 6 &+ ones
    }
}

extension UnsafeBufferPointer<UInt64> {
    /// The index of the first word at or after one that has bits; `count` where there is none. Eight words at a time.
    @inlinable
    package func firstNonzero(from start: Int) -> Int {
        var index = start
        while index &+ 8 <= count, !hasBits(inEightWordsAt: index) { index &+= 8 }
        while index < count, self[index] == 0 { index &+= 1 }
        return index
    }

    /// Which of eight words have bits, or of fewer at the end: the first in the lowest bit.
    @inlinable
    @inline(__always)
    func nonzeroWords(inGroupAt start: Int) -> UInt64 {
        var found: UInt64 = 0
        guard start &+ 8 <= count else {
            for index in start..<count where self[index] != 0 { found |= 1 &<< UInt64(index &- start) }
            return found
        }
        guard hasBits(inEightWordsAt: start) else { return 0 }
        for distance in 0..<8 { found |= (self[start &+ distance] != 0 ? 1 : 0) &<< UInt64(distance) }
        return found
    }

    /// The index of the first word at or after one that lacks bits; `count` where there is none.
    @inlinable
    func firstNotFull(from start: Int) -> Int {
        var index = start
        while index &+ 8 <= count, hasAllBits(inEightWordsAt: index) { index &+= 8 }
        while index < count, self[index] == ~0 { index &+= 1 }
        return index
    }

    /// How many bits are set.
    @usableFromInline
    package func setBitCount() -> UInt64 { cbitcount(baseAddress, count) }

    /// How many of some bits are set, all of which are there.
    func setBitCount(_ bits: Range<UInt64>) -> UInt64 {
        guard !bits.isEmpty else { return 0 }
        let (first, last) = (Int(bits.lowerBound >> 6), Int((bits.upperBound - 1) >> 6))
        let head: UInt64 = self[first] & (~0 << (bits.lowerBound & 63))
        let tailMask: UInt64 = ~0 >> (63 - (bits.upperBound - 1) & 63)
        guard first < last else { return UInt64((head & tailMask).nonzeroBitCount) }
        let inner = UnsafeBufferPointer(rebasing: self[(first + 1)..<last]).setBitCount()
        return inner + UInt64(head.nonzeroBitCount + (self[last] & tailMask).nonzeroBitCount)
    }

    @inlinable
    @inline(__always)
    func hasBits(inEightWordsAt index: Int) -> Bool {
        let low = (self[index] | self[index &+ 1]) | (self[index &+ 2] | self[index &+ 3])
        let high = (self[index &+ 4] | self[index &+ 5]) | (self[index &+ 6] | self[index &+ 7])
        return low | high != 0
    }

    @inlinable
    @inline(__always)
    func hasAllBits(inEightWordsAt index: Int) -> Bool {
        let low = (self[index] & self[index &+ 1]) & (self[index &+ 2] & self[index &+ 3])
        let high = (self[index &+ 4] & self[index &+ 5]) & (self[index &+ 6] & self[index &+ 7])
        return low & high == ~0
    }
}

extension UnsafeMutableBufferPointer<UInt64> {
    /// Sets some bits, all of which are there.
    /// - Returns: how many of them were not set.
    @inline(__always)
    func setBits(_ bits: ClosedRange<UInt64>) -> UInt64 {
        let (first, last) = (Int(bits.lowerBound &>> 6), Int(bits.upperBound &>> 6))
        let head: UInt64 = ~0 &<< (bits.lowerBound & 63)
        let tail: UInt64 = ~0 &>> (63 &- bits.upperBound & 63)
        if bits.lowerBound == bits.upperBound {
            // Pages that are apart come one by one. One bit is counted without an instruction for counting.
            let isSet = self[first] &>> (bits.lowerBound & 63) & 1
            self[first] |= 1 &<< (bits.lowerBound & 63)
            return isSet ^ 1
        }
        guard first < last else { return set(head & tail, at: first) }
        var count = set(head, at: first) &+ set(tail, at: last)
        for index in (first &+ 1)..<last { count &+= set(~0, at: index) }
        return count
    }

    private func set(_ bits: UInt64, at index: Int) -> UInt64 {
        let new = bits & ~self[index]
        self[index] |= bits
        return UInt64(new.nonzeroBitCount)
    }
}
