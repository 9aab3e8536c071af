import Synchronization
import VMHost

extension BitmapStorage {
    /// Marks the pages of `count` bytes at `offset`.
    @inlinable
    @inline(__always)
    func markDirty(offset: UInt64, count: UInt64) {
        guard let (first, last) = pages(offset: offset, count: count) else { return }
        markDirty(first, last)
    }

    /// Marks the pages from `first` to `last`, which there are.
    @inlinable
    @inline(__always)
    func markDirty(_ first: UInt64, _ last: UInt64) {
        ProcessBarrier.light()
        let head = WordSpan.headMask(first)
        let tail = WordSpan.tailMask(last)
        if first &>> 6 == last &>> 6 {
            mark(head & tail, inWord: first &>> 6)
        } else {
            markWords(first &>> 6, head, last &>> 6, tail)
        }
    }

    /// Marks a page that there is.
    @inlinable
    @inline(__always)
    func markDirty(page: UInt64) {
        ProcessBarrier.light()
        mark(1 &<< (page & 63), inWord: page &>> 6)
    }

    /// Sets bits of one word, and the word's own in the summary. Writes nothing where that is so already.
    ///
    /// The loads are sequentially consistent, which on x86 costs nothing: the summary's must come after whatever made the
    /// bits set.
    @inlinable
    @inline(__always)
    func mark(_ bits: UInt64, inWord word: UInt64) {
        let pages = words + Int(truncatingIfNeeded: word)
        let summary = summary + Int(truncatingIfNeeded: word &>> 6)
        let wordBit: UInt64 = 1 &<< (word & 63)
        if pages.pointee.load(ordering: .sequentiallyConsistent) & bits != bits {
            if bits == ~0 {
                // As in `markWhole`: one read-modify-write for the two.
                pages.pointee.store(~0, ordering: .releasing)
                summary.pointee.bitwiseOr(wordBit, ordering: .sequentiallyConsistent)
                return
            }
            pages.pointee.bitwiseOr(bits, ordering: .sequentiallyConsistent)
        }
        if summary.pointee.load(ordering: .sequentiallyConsistent) & wordBit == 0 {
            summary.pointee.bitwiseOr(wordBit, ordering: .sequentiallyConsistent)
        }
    }

    /// Marks more than one word, the first and the last perhaps only in part.
    @usableFromInline
    func markWords(_ first: UInt64, _ headMask: UInt64, _ last: UInt64, _ tailMask: UInt64) {
        if headMask != ~0 { mark(headMask, inWord: first) }
        if tailMask != ~0 { mark(tailMask, inWord: last) }
        var word = headMask == ~0 ? first : first + 1
        let end = tailMask == ~0 ? last + 1 : last
        while word < end {
            let next = min((word | 63) + 1, end)
            markWhole(word..<next)
            word = next
        }
    }

    /// Marks whole words that share one word of the summary.
    @inline(__always)
    private func markWhole(_ range: Range<UInt64>) {
        let words = words
        var stored = false
        for word in Int(range.lowerBound)..<Int(range.upperBound)
        where words[word].load(ordering: .sequentiallyConsistent) != ~0 {
            // No read-modify-write: all ones are a superset of what any other mark sets, and a harvest takes either what
            // was there before or what is there now.
            words[word].store(~0, ordering: .releasing)
            stored = true
        }
        let bits = WordSpan.summaryBits(of: range, at: range.lowerBound >> 6)
        let summary = summary + Int(range.lowerBound >> 6)
        if !stored {
            guard summary.pointee.load(ordering: .sequentiallyConsistent) & bits != bits else { return }
        }
        // After a store the summary is written without a look at it: the processor could look before the store is seen,
        // and a harvest clear the summary and pass the word in between.
        if bits == ~0 {
            summary.pointee.store(~0, ordering: .releasing)
        } else {
            summary.pointee.bitwiseOr(bits, ordering: .sequentiallyConsistent)
        }
    }
}
