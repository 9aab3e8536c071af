import VMHost

extension BitmapStorage {
    /// Marks pages by some bits of raw words: the first of them stands for `page`, and the next for the next page. What lies
    /// beyond the end, or is not in the words, is ignored.
    func merge(_ words: Span<UInt64>, bits: Range<UInt64>, atPage page: UInt64) {
        let limit = pageCount
        let end = min(bits.upperBound, UInt64(words.count) << 6)
        guard page < limit, bits.lowerBound < end else { return }
        ProcessBarrier.light()
        let last = page + min(end - bits.lowerBound, limit - page) - 1
        let span = WordSpan(page...last)
        // Of a word of ours, the bits are in up to two of theirs.
        for word in span.words {
            let bit = Int(bits.lowerBound) + Int(truncatingIfNeeded: (word << 6) &- page)
            let marked = Self.bits(of: words, from: bit) & span.mask(ofWord: word)
            if marked != 0 { mark(marked, inWord: word) }
        }
    }

    /// 64 bits from any on, which may be below 0; zero where there are no words.
    private static func bits(of words: Span<UInt64>, from bit: Int) -> UInt64 {
        let (index, shift) = (bit >> 6, UInt64(bit & 63))
        let low = words.indices.contains(index) ? words[index] >> shift : 0
        // By 64 it is shifted out.
        return low | (words.indices.contains(index + 1) ? words[index + 1] << (64 - shift) : 0)
    }
}
