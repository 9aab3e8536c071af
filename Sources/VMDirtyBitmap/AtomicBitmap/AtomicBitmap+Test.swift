/// Looking without clearing. What another thread's harvest has begun to take may be missing already.
extension AtomicBitmap {
    /// Whether the page of the byte at `offset` is marked.
    @inlinable
    @inline(__always)
    public func isDirty(at offset: UInt64) -> Bool {
        defer { withExtendedLifetime(self) {} }
        return storage.isDirty(at: offset)
    }

    /// Whether a page is marked.
    @inlinable
    @inline(__always)
    public func isDirty(page: UInt64) -> Bool {
        defer { withExtendedLifetime(self) {} }
        return page < storage.pageCount && storage.isDirty(page: page)
    }

    /// Whether any page that has one of the `count` bytes at `offset` is marked.
    public func isAnyDirty(offset: UInt64, count: UInt64) -> Bool {
        defer { withExtendedLifetime(self) {} }
        guard let (first, last) = storage.pages(offset: offset, count: count) else { return false }
        return isAnyDirty(first..<(last + 1))
    }

    /// Whether any of some pages is marked.
    public func isAnyDirty(_ pages: Range<UInt64> = allPages) -> Bool {
        defer { withExtendedLifetime(self) {} }
        var walk = DirtyWordWalk<Looking>(storage, pages)
        return walk.next() != nil
    }

    /// How many of some pages are marked.
    public func dirtyPageCount(_ pages: Range<UInt64> = allPages) -> UInt64 {
        defer { withExtendedLifetime(self) {} }
        var walk = DirtyWordWalk<Looking>(storage, pages)
        var count: UInt64 = 0
        while let word = walk.next() { count += word.pageCount }
        return count
    }

    /// The marked pages among some as runs: ascending, disjoint, none touching the next.
    @inlinable
    public func dirtyRuns(_ pages: Range<UInt64> = allPages) -> DirtyRuns {
        DirtyRuns(self, pages)
    }

    /// The runs of marked pages, looked up as the iteration comes to them.
    @frozen
    public struct DirtyRuns: Sequence, IteratorProtocol {
        @usableFromInline let bitmap: AtomicBitmap
        @usableFromInline var runs: DirtyPageRuns<Looking>

        @inlinable
        init(_ bitmap: AtomicBitmap, _ pages: Range<UInt64>) {
            self.bitmap = bitmap
            runs = DirtyPageRuns(bitmap.storage, pages)
        }

        @inlinable
        public mutating func next() -> Range<UInt64>? {
            defer { withExtendedLifetime(bitmap) {} }
            return runs.next()
        }
    }
}
