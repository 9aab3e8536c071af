import VMAddressSpace

/// Locking pages. While a page is locked, `unmap`, `move`, `decommit`, a replacing `map` and a `protect` that allows less
/// fail, or wait. Offsets and lengths are in bytes and need not be aligned: each page they touch is locked.
extension SparseMapping {
    /// Locks the pages of a range once more. Waits while a change takes them away.
    ///
    /// Pages can be locked where nothing is mapped; whether something is must be found out after locking, since before
    /// it can change.
    /// - Throws: `empty`, `outOfBounds`.
    public func lock(offset: UInt64, count: UInt64) throws(HostMemoryError) {
        locks.lock(try pageNumbers(.lock, offset, count))
    }

    /// Undoes one `lock` of each page of a range.
    /// - Throws: `empty`, `outOfBounds`; `notLocked` where a page is not locked.
    public func unlock(offset: UInt64, count: UInt64) throws(HostMemoryError) {
        try locks.unlock(try pageNumbers(.unlock, offset, count))
    }

    /// Whether a page of a range is locked.
    /// - Throws: `empty`, `outOfBounds`.
    public func isLocked(offset: UInt64, count: UInt64) throws(HostMemoryError) -> Bool {
        locks.isLocked(try pageNumbers(.lock, offset, count))
    }

    /// Sleeps until no page of a range is locked. They can be locked again by the time this returns.
    /// - Returns: whether that came to be within `timeout`.
    /// - Throws: `empty`, `outOfBounds`.
    public func waitUntilUnlocked(offset: UInt64, count: UInt64, timeout: Duration) throws(HostMemoryError) -> Bool {
        locks.waitUntilUnlocked(try pageNumbers(.lock, offset, count), timeout: timeout)
    }

    private func pageNumbers(
        _ operation: HostMemoryError.Operation, _ offset: UInt64, _ count: UInt64
    ) throws(HostMemoryError) -> Range<UInt64> {
        let extent = HostMemoryError.Extent(offset: offset, count: count)
        guard count > 0 else { throw HostMemoryError(operation, extent, .empty) }
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, end <= UInt64(self.count) else {
            throw HostMemoryError(operation, extent, .outOfBounds(limit: UInt64(self.count)))
        }
        let pageSize = PageSize.size4K.bytes
        return offset / pageSize..<(end - 1) / pageSize + 1
    }
}
