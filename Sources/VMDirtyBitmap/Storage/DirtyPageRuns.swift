/// The dirty pages of a walk as runs: ascending, disjoint, none touching the next.
@frozen
@usableFromInline
struct DirtyPageRuns<Access: WordAccess>: IteratorProtocol {
    @usableFromInline var walk: DirtyWordWalk<Access>
    /// What is left of the word that the walk gave last.
    @usableFromInline var word = DirtyWord(firstPage: 0, bits: 0)

    @inlinable
    init(_ storage: BitmapStorage, _ pages: Range<UInt64>) {
        walk = DirtyWordWalk(storage, pages)
    }

    @inlinable
    @inline(__always)
    mutating func next() -> Range<UInt64>? {
        var start: UInt64 = 0
        var end: UInt64 = 0
        while true {
            if word.bits == 0 {
                guard let found = walk.next() else { break }
                word = found
            }
            let low = UInt64(truncatingIfNeeded: word.bits.trailingZeroBitCount)
            let first = word.firstPage &+ low
            if start == end {
                start = first
            } else if first != end {
                break
            }
            let ones = UInt64(truncatingIfNeeded: (~(word.bits &>> low)).trailingZeroBitCount)
            end = first &+ ones
            guard low &+ ones == 64 else {
                word.bits &= ~0 &<< (low &+ ones)
                break
            }
            word.bits = 0
        }
        return start == end ? nil : Range(uncheckedBounds: (start, end))
    }
}

extension DirtyPageRuns where Access == Taking {
    /// The next runs, as many as there is room for.
    /// - Returns: how many were there.
    @inlinable
    mutating func fill(_ batch: inout MutableSpan<Range<UInt64>>) -> Int {
        var count = 0
        while count < batch.count, let run = next() {
            batch[count] = run
            count &+= 1
        }
        return count
    }

    /// Ends a harvest early: marks again the runs that were not handed out, and what else was taken.
    @usableFromInline
    mutating func putBack(_ batch: Span<Range<UInt64>>, _ waiting: Range<Int>) {
        let storage = walk.storage
        for index in waiting { storage.markDirty(batch[index].lowerBound, batch[index].upperBound - 1) }
        if word.bits != 0 { storage.mark(word.bits, inWord: word.firstPage >> 6) }
        walk.stop()
    }
}
