extension AtomicBitmap {
    /// A slice that owns nothing: two words, copied freely, without a reference count.
    ///
    /// It is valid as long as the bitmap lives, which is the user's to see to: a mark after that writes to memory that is
    /// no longer there. `Slice` keeps the bitmap alive by itself.
    @frozen
    public struct BorrowedSlice: BitmapSlice, BitwiseCopyable {
        @usableFromInline let storage: BitmapStorage
        /// Where it starts in the tracked memory; 2^64 - 1, where nothing can be, for one beyond the end.
        @usableFromInline let offset: UInt64

        @inlinable
        init(_ storage: BitmapStorage, offset: UInt64) {
            self.storage = storage
            self.offset = offset
        }

        @inlinable
        @inline(__always)
        public func markDirty(offset: UInt64, count: UInt64) {
            let (start, isBeyondEnd) = self.offset.addingReportingOverflow(offset)
            if !isBeyondEnd { storage.markDirty(offset: start, count: count) }
        }

        /// Marks the page of one byte, which the user knows to be within `byteCount`.
        @inlinable
        @inline(__always)
        public func markPage(at offset: UInt64) {
            storage.markDirty(page: (self.offset &+ offset) &>> storage.pageShift)
        }

        /// Marks by some bits of raw words, as `AtomicBitmap.merge(words:atPage:)` does: the first stands for the page of the
        /// byte at `offset`, and the next for the next page.
        /// - Parameter bits: their numbers; bit n of word m is 64 * m + n.
        public func merge(words: Span<UInt64>, bits: Range<UInt64>, at offset: UInt64) {
            let (start, isBeyondEnd) = self.offset.addingReportingOverflow(offset)
            if !isBeyondEnd { storage.merge(words, bits: bits, atPage: start >> storage.pageShift) }
        }

        /// Takes pages into words, as `AtomicBitmap.harvest(_:into:)` does, but for the barrier that has to come between this and
        /// copying their memory: `ProcessBarrier.heavy()`, once for any number of slices.
        /// - Parameters:
        ///   - offset: the page of this byte is the first.
        ///   - bits: how many pages, and the numbers of their bits; bit n of word m is 64 * m + n. All must be there.
        /// - Returns: how many pages were taken.
        package func take(at offset: UInt64, into words: inout MutableSpan<UInt64>, bits: Range<UInt64>) -> UInt64 {
            let (start, isBeyondEnd) = self.offset.addingReportingOverflow(offset)
            guard !isBeyondEnd else { return 0 }
            let first = start >> storage.pageShift
            let walk = DirtyWordWalk<Taking>(storage, first..<(first + UInt64(bits.count)))
            let base = first &- bits.lowerBound
            return base & 63 == 0 && base <= first
                ? words.take(walk, firstWord: base >> 6) : words.take(walk, base: base)
        }

        /// Clears pages, as `AtomicBitmap.clear(_:)` does, but for the same barrier.
        /// - Parameter offset: the page of this byte is the first.
        package func clear(at offset: UInt64, pageCount: UInt64) {
            let (start, isBeyondEnd) = self.offset.addingReportingOverflow(offset)
            guard !isBeyondEnd else { return }
            let first = start >> storage.pageShift
            var walk = DirtyWordWalk<Taking>(storage, first..<(first + pageCount))
            while walk.next() != nil {}
        }

        /// The bytes from its start to the end of the tracked memory, which may grow.
        @inlinable
        public var byteCount: UInt64 {
            let byteCount = storage.byteCount
            return byteCount > offset ? byteCount - offset : 0
        }

        /// The bytes for which one bit stands: a power of two.
        @inlinable
        public var pageSize: UInt64 { 1 &<< storage.pageShift }

        /// Whether its first byte is the first of a page.
        @inlinable
        public var startsAtPage: Bool { offset & (pageSize - 1) == 0 }

        @inlinable
        @inline(__always)
        public func isDirty(at offset: UInt64) -> Bool {
            let (start, isBeyondEnd) = self.offset.addingReportingOverflow(offset)
            return !isBeyondEnd && storage.isDirty(at: start)
        }

        @inlinable
        public func slice(at offset: UInt64) -> BorrowedSlice {
            let (start, isBeyondEnd) = self.offset.addingReportingOverflow(offset)
            return BorrowedSlice(storage, offset: isBeyondEnd ? .max : start)
        }

        @inlinable
        public var borrowedSlice: BorrowedSlice? { self }
    }

    /// The pages from `offset` on, for users that know to end before the bitmap does.
    @inlinable
    public func borrowedSlice(at offset: UInt64) -> BorrowedSlice {
        BorrowedSlice(storage, offset: offset)
    }

    /// All pages, for the same users.
    @inlinable
    public var borrowedSlice: BorrowedSlice? { borrowedSlice(at: 0) }
}
