import CHostMemory
import Glibc
import SystemPackage

extension MemoryFile {
    /// Provides the memory or the disk space for a range now (fallocate(2)), so that touching a mapping of it later
    /// cannot fail for want of space, which would be a `SIGBUS`. Contents stay; so does the length.
    ///
    /// Where it throws for want of space, the file system may keep what it had provided by then.
    /// - Parameters:
    ///   - offset: in bytes, a multiple of `pageSize`.
    ///   - count: in bytes, a multiple of `pageSize`.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `fileTooShort`, `fileIsReadOnly`, `fileSizeLimit`;
    ///   `tooFewHugePages`; `system` with `ENOSPC`, `EDQUOT`, or `EOPNOTSUPP` where the file system cannot.
    public func preallocate(offset: UInt64, count: UInt64) throws(HostMemoryError) {
        let extent = try writableExtent(.preallocate, offset, count)
        if let limit = FileSizeLimit.refusing(extent.bytes.upperBound) {
            throw HostMemoryError(.preallocate, extent.asked, file: name, .fileSizeLimit(limit))
        }
        try allocate(.preallocate, CHOSTMEMORY_FALLOC_FL_KEEP_SIZE, extent)
    }

    /// Gives a range's memory or disk space back; it then reads as zero, in every mapping of it.
    /// - Parameters:
    ///   - offset: in bytes, a multiple of `pageSize`.
    ///   - count: in bytes, a multiple of `pageSize`.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `fileTooShort`, `fileIsReadOnly`; `system` with `EOPNOTSUPP` where
    ///   the file system cannot.
    public func punchHole(offset: UInt64, count: UInt64) throws(HostMemoryError) {
        let extent = try writableExtent(.punchHole, offset, count)
        try allocate(.punchHole, CHOSTMEMORY_FALLOC_FL_PUNCH_HOLE | CHOSTMEMORY_FALLOC_FL_KEEP_SIZE, extent)
    }

    private func writableExtent(
        _ operation: HostMemoryError.Operation, _ offset: UInt64, _ count: UInt64
    ) throws(HostMemoryError) -> PageExtent {
        let extent = try extent(operation, offset: offset, count: count)
        guard isWritable else { throw HostMemoryError(operation, extent.asked, file: name, .fileIsReadOnly) }
        return extent
    }

    private func allocate(
        _ operation: HostMemoryError.Operation, _ mode: CInt, _ extent: PageExtent
    ) throws(HostMemoryError) {
        var result: CInt
        repeat {
            result = chostmemory_fallocate(descriptor.rawValue, mode, Int64(extent.offset), Int64(extent.count))
        } while result == -EINTR
        switch Errno(rawValue: -result) {
        case Errno(rawValue: 0): return
        case .noSpace where pageSize != .size4K:
            throw HostMemoryError(operation, extent.asked, file: name, .tooFewHugePages(pageSize))
        case let errno:
            throw HostMemoryError(operation, extent.asked, file: name, .system(errno))
        }
    }
}
