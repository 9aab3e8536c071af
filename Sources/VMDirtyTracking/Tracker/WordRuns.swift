/// The runs of set bits in words: ascending, disjoint, none touching the next. Bit n of word m is number 64 * m + n.
@frozen
@usableFromInline
struct WordRuns: IteratorProtocol {
    // SAFETY: only made and used within a call of `withUnsafeBufferPointer` on the words.
    @usableFromInline let words: UnsafeBufferPointer<UInt64>
    /// The word after that of `rest`.
    @usableFromInline var index = 0
    /// What is left of the word before `index`.
    @usableFromInline var rest: UInt64 = 0

    @inlinable
    init(_ words: UnsafeBufferPointer<UInt64>) {
        self.words = words
    }

    @inlinable
    @inline(__always)
    mutating func next() -> Range<UInt64>? {
        while rest == 0 {
            index = words.firstNonzero(from: index)
            guard index < words.count else { return nil }
            rest = words[index]
            index &+= 1
        }
        let low = UInt64(truncatingIfNeeded: rest.trailingZeroBitCount)
        let base = UInt64(truncatingIfNeeded: index &- 1) &<< 6
        let start = base &+ low
        var ones = UInt64(truncatingIfNeeded: (~(rest &>> low)).trailingZeroBitCount)
        guard low &+ ones == 64 else {
            rest &= ~0 &<< (low &+ ones)
            return Range(uncheckedBounds: (start, start &+ ones))
        }
        // The run goes on to the end of the word, and perhaps further.
        index = words.firstNotFull(from: index)
        rest = index < words.count ? words[index] : 0
        ones = UInt64(truncatingIfNeeded: (~rest).trailingZeroBitCount)
        rest &= ~0 &<< ones
        let end = UInt64(truncatingIfNeeded: index) &<< 6 &+ ones
        index = min(index &+ 1, words.count)
        return Range(uncheckedBounds: (start, end))
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

    /// The index of the first word at or after one that lacks bits; `count` where there is none.
    @inlinable
    func firstNotFull(from start: Int) -> Int {
        var index = start
        while index &+ 8 <= count, hasAllBits(inEightWordsAt: index) { index &+= 8 }
        while index < count, self[index] == ~0 { index &+= 1 }
        return index
    }

    /// How many bits are set. Without an instruction of the processor for it: there are processors without.
    package func setBitCount() -> UInt64 {
        var total: UInt64 = 0
        // In each byte a count, to which eight words at a time add up to 8.
        var counts = SIMD8<UInt64>.zero
        var room = 31
        var index = 0
        while index &+ 8 <= count {
            defer { index &+= 8 }
            guard hasBits(inEightWordsAt: index) else { continue }
            if self[index] == ~0, hasAllBits(inEightWordsAt: index) {
                total &+= 512
                continue
            }
            counts &+= eightWords(at: index).setBitCountsOfBytes
            room &-= 1
            guard room == 0 else { continue }
            total &+= counts.sumOfBytes
            (counts, room) = (.zero, 31)
        }
        total &+= counts.sumOfBytes
        while index < count {
            total &+= UInt64(truncatingIfNeeded: self[index].nonzeroBitCount)
            index &+= 1
        }
        return total
    }

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

    private func eightWords(at index: Int) -> SIMD8<UInt64> {
        // SAFETY: the caller has checked that there are eight from `index` on; words have no stricter alignment here.
        UnsafeRawPointer(baseAddress.unsafelyUnwrapped + index).loadUnaligned(as: SIMD8<UInt64>.self)
    }
}

extension UnsafeMutableBufferPointer<UInt64> {
    /// Sets some bits, all of which are there.
    func setBits(_ bits: ClosedRange<UInt64>) {
        let (first, last) = (Int(bits.lowerBound >> 6), Int(bits.upperBound >> 6))
        let head: UInt64 = ~0 << (bits.lowerBound & 63)
        let tail: UInt64 = ~0 >> (63 - bits.upperBound & 63)
        guard first < last else {
            self[first] |= head & tail
            return
        }
        self[first] |= head
        self[(first + 1)..<last].update(repeating: ~0)
        self[last] |= tail
    }
}

extension SIMD8<UInt64> {
    /// In each byte, how many of its bits are set.
    fileprivate var setBitCountsOfBytes: Self {
        let pairs = self &- (self &>> 1 & 0x5555_5555_5555_5555)
        let fours = pairs & 0x3333_3333_3333_3333 &+ (pairs &>> 2 & 0x3333_3333_3333_3333)
        return (fours &+ fours &>> 4) & 0x0f0f_0f0f_0f0f_0f0f
    }

    /// The sum of all bytes.
    fileprivate var sumOfBytes: UInt64 {
        // Of 16 bits each, which are enough for the sum of 64 bytes.
        let sums = (self & 0x00ff_00ff_00ff_00ff &+ (self &>> 8 & 0x00ff_00ff_00ff_00ff)).wrappedSum()
        return (sums &* 0x0001_0001_0001_0001) &>> 48
    }
}
