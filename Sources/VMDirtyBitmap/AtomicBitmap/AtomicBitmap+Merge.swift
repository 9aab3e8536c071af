import VMHost

extension AtomicBitmap {
    /// Marks what another bitmap has marked, and leaves it marked there. Of pages of another size, every page is marked
    /// that has a byte of a marked one. What lies beyond the end is ignored.
    public func merge(_ other: AtomicBitmap) {
        defer { withExtendedLifetime((self, other)) {} }
        let shift = other.storage.pageShift
        guard shift == storage.pageShift else {
            let end = other.byteCount
            for run in other.dirtyRuns() {
                // By the last byte, for the end of the last page may be 2^64.
                let first = run.lowerBound << shift
                let last = min(((run.upperBound - 1) << shift) | ((1 << shift) - 1), end - 1)
                storage.markDirty(offset: first, count: last - first + 1)
            }
            return
        }
        var walk = DirtyWordWalk<Looking>(other.storage, 0..<storage.pageCount)
        ProcessBarrier.light()
        while let word = walk.next() { storage.mark(word.bits, inWord: word.firstPage >> 6) }
    }

    /// Marks by raw words: a kernel's log (`KVM_GET_DIRTY_LOG`), or what a harvest put into a buffer and nobody could use.
    /// - Parameters:
    ///   - words: bit n of word m stands for page `page + 64 * m + n`. What lies beyond the end is ignored.
    ///   - page: any; it need not be a multiple of 64.
    public func merge(words: Span<UInt64>, atPage page: UInt64 = 0) {
        defer { withExtendedLifetime(self) {} }
        storage.merge(words, bits: 0..<UInt64(words.count) << 6, atPage: page)
    }

    /// A bitmap of the same shape with the same pages marked, and room to grow as far.
    /// - Throws: `.noMemory`.
    public func copy() throws(BitmapError) -> AtomicBitmap {
        let copy = try AtomicBitmap(byteCount: byteCount, pageSize: pageSize, growableTo: growthLimit)
        copy.merge(self)
        return copy
    }
}
