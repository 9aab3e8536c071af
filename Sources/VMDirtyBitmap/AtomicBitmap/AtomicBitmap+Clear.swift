import VMHost

/// Clearing without asking what was marked. Marks made meanwhile on other pages are never lost; after clearing, memory
/// may be copied as after a harvest.
extension AtomicBitmap {
    /// Clears every page that has one of the `count` bytes at `offset`.
    public func clear(offset: UInt64, count: UInt64) {
        defer { withExtendedLifetime(self) {} }
        guard let (first, last) = storage.pages(offset: offset, count: count) else { return }
        clear(first..<(last + 1))
    }

    /// Clears a page.
    public func clear(page: UInt64) {
        defer { withExtendedLifetime(self) {} }
        guard page < storage.pageCount else { return }
        clear(page..<(page + 1))
    }

    /// Clears some pages.
    public func clear(_ pages: Range<UInt64> = allPages) {
        defer { withExtendedLifetime(self) {} }
        var walk = DirtyWordWalk<Taking>(storage, pages)
        guard walk.next() != nil else { return }
        while walk.next() != nil {}
        ProcessBarrier.heavy()
    }
}
