extension AtomicBitmap {
    /// Marks every page that has one of the `count` bytes at `offset`. Call it after writing them.
    @inlinable
    @inline(__always)
    public func markDirty(offset: UInt64, count: UInt64) {
        defer { withExtendedLifetime(self) {} }
        storage.markDirty(offset: offset, count: count)
    }

    /// Marks a page.
    @inlinable
    @inline(__always)
    public func markDirty(page: UInt64) {
        defer { withExtendedLifetime(self) {} }
        if page < storage.pageCount { storage.markDirty(page: page) }
    }

    /// Marks pages: those written, or those of a harvest that came to nothing.
    @inlinable
    public func markDirty(pages: Range<UInt64>) {
        defer { withExtendedLifetime(self) {} }
        let upperBound = min(pages.upperBound, storage.pageCount)
        if pages.lowerBound < upperBound { storage.markDirty(pages.lowerBound, upperBound &- 1) }
    }
}
