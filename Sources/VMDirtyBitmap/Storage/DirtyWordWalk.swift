import Synchronization

/// Pages that are dirty: bit n stands for page `firstPage + n`.
@frozen
@usableFromInline
struct DirtyWord: BitwiseCopyable {
    @usableFromInline var firstPage: UInt64
    @usableFromInline var bits: UInt64

    @inlinable
    init(firstPage: UInt64, bits: UInt64) {
        self.firstPage = firstPage
        self.bits = bits
    }

    @inlinable
    @inline(__always)
    var pageCount: UInt64 { UInt64(truncatingIfNeeded: bits.nonzeroBitCount) }
}

/// The dirty words of a run of pages in ascending order, found by way of the summary.
///
/// A walk that takes clears a word's bit in the summary before it takes the word, so that whoever marks in between sets
/// that bit anew. Words that are only partly in the run keep theirs.
@frozen
@usableFromInline
struct DirtyWordWalk<Access: WordAccess>: IteratorProtocol {
    @usableFromInline let storage: BitmapStorage
    @usableFromInline let span: WordSpan
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    /// The word of the summary after that of `pending`.
    @usableFromInline var nextSummary: UInt64
    @usableFromInline let endSummary: UInt64
    /// What is left of the bits found in the word of the summary before `nextSummary`.
    @usableFromInline var pending: UInt64 = 0
    /// The words there that are only partly in the run.
    @usableFromInline var partial: UInt64 = 0

    @inlinable
    init(_ storage: BitmapStorage, _ pages: Range<UInt64>) {
        self.storage = storage
        span = WordSpan(pages, limit: storage.pageCount)
        words = storage.words
        nextSummary = span.words.lowerBound &>> 6
        endSummary = (span.words.upperBound &+ 63) &>> 6
    }

    @inlinable
    @inline(__always)
    mutating func next() -> DirtyWord? {
        while true {
            guard pending != 0 else {
                guard advance() else { return nil }
                continue
            }
            let word = ((nextSummary &- 1) &<< 6) | UInt64(truncatingIfNeeded: pending.trailingZeroBitCount)
            pending &= pending &- 1
            let pages = words + Int(truncatingIfNeeded: word)
            let bits = partial == 0 ? Access.bits(of: pages, ~0) : Access.bits(of: pages, span.mask(ofWord: word))
            if bits != 0 { return DirtyWord(firstPage: word &<< 6, bits: bits) }
        }
    }

    /// Goes on to the next word of the summary that has bits set.
    @inlinable
    mutating func advance() -> Bool {
        let index = storage.firstNonzeroSummary(nextSummary, endSummary)
        guard index < endSummary else { return false }
        nextSummary = index &+ 1
        let summary = storage.summary + Int(truncatingIfNeeded: index)
        let whole = WordSpan.summaryBits(of: span.wholeWords, at: index)
        partial = WordSpan.summaryBits(of: span.words, at: index) & ~whole
        pending = Access.bits(of: summary, whole) | Looking.bits(of: summary, partial)
        return true
    }
}

extension DirtyWordWalk where Access == Taking {
    /// Ends the walk early: words taken from the summary that `next()` has not come to can be found again.
    @inlinable
    mutating func stop() {
        guard pending != 0 else { return }
        let summary = storage.summary + Int(truncatingIfNeeded: nextSummary &- 1)
        summary.pointee.bitwiseOr(pending, ordering: .sequentiallyConsistent)
        pending = 0
        nextSummary = endSummary
    }
}

extension BitmapStorage {
    /// The first word of the summary from `index` on with a bit set, or `end`. Clean areas go by at 4096 pages a word.
    @inlinable
    func firstNonzeroSummary(_ index: UInt64, _ end: UInt64) -> UInt64 {
        let summary = summary
        var index = Int(truncatingIfNeeded: index)
        let end = Int(truncatingIfNeeded: end)
        while index &+ 8 <= end {
            let first = summary + index
            var bits = first[0].load(ordering: .relaxed) | first[1].load(ordering: .relaxed)
            bits |= first[2].load(ordering: .relaxed) | first[3].load(ordering: .relaxed)
            bits |= first[4].load(ordering: .relaxed) | first[5].load(ordering: .relaxed)
            bits |= first[6].load(ordering: .relaxed) | first[7].load(ordering: .relaxed)
            guard bits == 0 else { break }
            index &+= 8
        }
        while index < end, summary[index].load(ordering: .relaxed) == 0 { index &+= 1 }
        return UInt64(truncatingIfNeeded: index)
    }
}
