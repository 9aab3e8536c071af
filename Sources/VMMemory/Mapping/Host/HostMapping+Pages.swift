import SystemPackage
import VMAddressSpace

/// What can be done with a mapping, or part of it. Offsets are in bytes from its first; all are multiples of its page
/// size.
extension HostMapping {
    /// Changes what may be done with all of it.
    /// - Throws: as for a part.
    public func protect(_ protection: MemoryProtection) throws(HostMemoryError) {
        try protect(protection, offset: 0, count: UInt64(count))
    }

    /// Changes what may be done with a part.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `tooManyMappings`; `system` with `EACCES` for writes to a shared
    ///   mapping of a file that is open for reading only.
    public func protect(_ protection: MemoryProtection, offset: UInt64, count: UInt64) throws(HostMemoryError) {
        try change(.protect, offset, count) { (pages) throws(Errno) in try pages.protect(protection) }
    }

    /// Gives all its memory back.
    /// - Throws: as for a part.
    public func decommit() throws(HostMemoryError) {
        try decommit(offset: 0, count: UInt64(count))
    }

    /// Gives a part's memory back; the next touch is provided anew. What it then reads:
    /// - anonymous memory: zero;
    /// - a file mapped copy-on-write: the file;
    /// - a file mapped shared: zero, since a hole is punched into the file, for all who map it.
    ///
    /// - Throws: `empty`, `misaligned`, `outOfBounds`; for a file mapped shared, `system` with `EACCES` where the mapping
    ///   cannot be written, or `EOPNOTSUPP` where the file system cannot punch holes.
    public func decommit(offset: UInt64, count: UInt64) throws(HostMemoryError) {
        try change(.decommit, offset, count) { (pages) throws(Errno) in
            if isShared { try pages.punchHole() } else { try pages.discard() }
        }
    }

    /// Provides all pages of a part now, as `Options.populate` does.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`; `system` with what madvise(2) says, some pages having been provided.
    public func populate(offset: UInt64, count: UInt64) throws(HostMemoryError) {
        try change(.populate, offset, count) { (pages) throws(Errno) in try pages.populate(protection) }
    }

    /// How many bytes of it are in memory now; for a file, whether or not this mapping has touched them.
    /// - Throws: `system` with what mincore(2) says.
    public func residentByteCount() throws(HostMemoryError) -> Int {
        var resident = 0
        try change(.countResident, 0, UInt64(count)) { (pages) throws(Errno) in
            resident = try pages.residentByteCount()
        }
        return resident
    }

    private func change(
        _ operation: HostMemoryError.Operation, _ offset: UInt64, _ count: UInt64,
        _ body: (HostPages) throws(Errno) -> Void
    ) throws(HostMemoryError) {
        let extent = try PageExtent(
            operation, offset: offset, count: count, limit: UInt64(self.count), pageSize: pageSize)
        do {
            try body(HostPages(base: baseAddress + extent.offset, count: extent.count))
        } catch {
            throw HostMemoryError(operation, extent.asked, HostMemoryError.Reason(mapping: error))
        }
    }
}
