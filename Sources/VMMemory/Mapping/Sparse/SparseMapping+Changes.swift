import SystemPackage
import VMAddressSpace

/// Changes. Offsets are in bytes from the start of the reservation; offsets and lengths are multiples of 4 KiB, or of the
/// huge pages' size where they cut such pages.
///
/// Those that take pages away (all but a `map` where nothing was) wait up to `timeout` for locked ones. Others can lock
/// and unlock them meanwhile, so a range that is always in use by someone is never let go.
extension SparseMapping {
    /// Maps memory.
    ///
    /// - Parameters:
    ///   - backing: kept, and its file open, until the last piece of it is unmapped.
    ///   - backingOffset: in bytes in the backing's file; counts for files alone.
    ///   - transparentHugePages: asks for them (`MADV_HUGEPAGE`). They form where offset and length leave room for
    ///     multiples of 2 MiB.
    ///   - replacing: whether what is mapped there gives way, in one step. If not, something mapped there is an error.
    ///   - timeout: how long locked pages are waited for where something is replaced.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `alreadyMapped`, `locked`; `fileTooShort`, `fileIsReadOnly`,
    ///   `copyOnWriteHugePages`, `tooFewHugePages`, `tooManyMappings`; `system` with what mmap(2) or mprotect(2) says. Nothing has
    ///   changed then, but for one case: a kernel before 6.12 that runs out of memory for its own records half-way has
    ///   dropped what was to be replaced, and nothing is mapped there.
    public func map(
        offset: UInt64, count: UInt64, _ backing: MemoryBacking, backingOffset: UInt64 = 0,
        protection: MemoryProtection = .readWrite, transparentHugePages: Bool = false,
        replacing: Bool = false, waitingUpTo timeout: Duration = .zero
    ) throws(HostMemoryError) {
        let extent: PageExtent
        let source: PageSource
        switch backing {
        case .anonymous:
            extent = try self.extent(.map, offset, count)
            source = PageSource(anonymous: extent, commits: false)
        case .file(let shared, let sharing):
            extent = try self.extent(.map, offset, count, pageSize: shared.file.pageSize)
            source = try PageSource(
                shared.file, offset: backingOffset, count: count, sharing: sharing, protection: protection,
                commits: false)
        }
        let piece = MappedPiece(
            range: extent.bytes, backing: backing, backingOffset: backing.isAnonymous ? 0 : backingOffset,
            protection: protection, transparentHugePages: transparentHugePages)
        try change(extent, .map, waitingUpTo: timeout) { (table) throws(HostMemoryError) in
            let present = table.parts(in: extent.bytes)
            if !replacing, let first = present.first {
                throw HostMemoryError(.map, extent.asked, .alreadyMapped(first.range))
            }
            try checkCuts(extent, .map, in: table)
            return !present.isEmpty
        } apply: { (table) throws(HostMemoryError) in
            try place(piece, source, in: &table)
        }
    }

    /// Unmaps whatever part of pieces is in a range; the addresses stay reserved.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `locked`, `tooManyMappings`; `notMapped` where nothing is mapped in
    ///   some of the range.
    public func unmap(offset: UInt64, count: UInt64, waitingUpTo timeout: Duration = .zero) throws(HostMemoryError) {
        let extent = try extent(.unmap, offset, count)
        try change(extent, .unmap, waitingUpTo: timeout) { (table) throws(HostMemoryError) in
            _ = try mappedParts(extent, .unmap, in: table)
            return true
        } apply: { (table) throws(HostMemoryError) in
            let pages = pages(extent.bytes)
            do throws(Errno) {
                try span.reserve(pages)
            } catch {
                // A kernel before 6.12 can fail having dropped the pages, which is most of the way.
                guard span.reserveHole(pages) else {
                    throw HostMemoryError(.unmap, extent.asked, HostMemoryError.Reason(mapping: error))
                }
            }
            table.replace(extent.bytes, with: [])
        }
    }

    /// Changes what may be done with memory. To allow more, locked pages are no obstacle.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `locked`, `tooManyMappings`; `notMapped` where nothing is mapped in
    ///   some of the range; `fileIsReadOnly` where writes would go to a file that is.
    public func protect(
        offset: UInt64, count: UInt64, _ protection: MemoryProtection, waitingUpTo timeout: Duration = .zero
    ) throws(HostMemoryError) {
        let extent = try extent(.protect, offset, count)
        try change(extent, .protect, waitingUpTo: timeout) { (table) throws(HostMemoryError) in
            let parts = try mappedParts(extent, .protect, in: table)
            if protection.contains(.write) { try checkWritable(parts, .protect) }
            return !parts.allSatisfy { $0.protection.isSubset(of: protection) }
        } apply: { (table) throws(HostMemoryError) in
            let parts = table.parts(in: extent.bytes)
            do throws(Errno) {
                try protect(parts, protection)
            } catch {
                throw HostMemoryError(.protect, extent.asked, HostMemoryError.Reason(mapping: error))
            }
            table.replace(extent.bytes, with: parts.map { $0.with(protection) })
        }
    }

    /// Gives memory back; the next touch is provided anew. What it then reads is as for `HostMapping.decommit()`: zero,
    /// or the file where it is mapped copy-on-write. Huge pages go back to the host's pool, and are reserved no longer:
    /// a touch when the pool is empty is a `SIGBUS`.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `locked`; `notMapped` where nothing is mapped in some of the range;
    ///   `fileIsReadOnly` where a hole would have to be punched into a file that is; what `MemoryFile.punchHole` does.
    ///   Where the kernel refuses half-way, the pieces before are decommitted.
    public func decommit(
        offset: UInt64, count: UInt64, waitingUpTo timeout: Duration = .zero
    ) throws(HostMemoryError) {
        let extent = try extent(.decommit, offset, count)
        try change(extent, .decommit, waitingUpTo: timeout) { (table) throws(HostMemoryError) in
            try checkWritable(try mappedParts(extent, .decommit, in: table), .decommit)
            return true
        } apply: { (table) throws(HostMemoryError) in
            for part in table.parts(in: extent.bytes) { try decommit(part) }
        }
    }

    /// Provides all pages of a range now, as `HostMapping.Options.populate` does. Takes no lock meanwhile.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`; `notMapped` where nothing is mapped in some of the range; `system`
    ///   with what madvise(2) says, some pages having been provided.
    public func populate(offset: UInt64, count: UInt64) throws(HostMemoryError) {
        let extent = try extent(.populate, offset, count)
        let parts = try table.withLock { (table) throws(HostMemoryError) in
            try mappedParts(extent, .populate, in: table)
        }
        for part in parts {
            do throws(Errno) {
                try pages(part.range).populate(part.protection)
            } catch {
                throw HostMemoryError(.populate, extent.asked, .system(error))
            }
        }
    }

    /// How many bytes of a range are in memory now; for a file, whether or not this mapping has touched them.
    /// - Throws: `empty`, `misaligned`, `outOfBounds`; `system` with what mincore(2) says.
    public func residentByteCount(offset: UInt64, count: UInt64) throws(HostMemoryError) -> Int {
        let extent = try extent(.countResident, offset, count)
        do throws(Errno) {
            return try pages(extent.bytes).residentByteCount()
        } catch {
            throw HostMemoryError(.countResident, extent.asked, .system(error))
        }
    }
}
