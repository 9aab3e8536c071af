import Glibc
import SystemPackage
import VMAddressSpace
import VMHost

/// Where the pages of one mapping come from, checked: whatever is refused from here on, the kernel refuses. The
/// descriptor is borrowed, so a source does not outlive the call that made it.
struct PageSource {
    /// As errors name it.
    let extent: HostMemoryError.Extent
    /// In bytes.
    let count: Int
    let file: String?
    let pageSize: PageSize
    private let descriptor: CInt
    private let offset: off_t
    private let flags: CInt

    /// - Parameters:
    ///   - extent: where errors say it is.
    ///   - commits: whether the kernel counts the pages against its limit on promised memory.
    init(anonymous extent: PageExtent, commits: Bool) {
        self.extent = extent.asked
        self.count = extent.count
        self.file = nil
        self.pageSize = .size4K
        self.descriptor = -1
        self.offset = 0
        self.flags = MAP_PRIVATE | MAP_ANONYMOUS | (commits ? 0 : MAP_NORESERVE)
    }

    /// - Throws: `empty`, `misaligned`, `outOfBounds`, `fileTooShort`, `fileIsReadOnly`, `copyOnWriteHugePages`.
    init(
        _ file: borrowing MemoryFile, offset: UInt64, count: UInt64, sharing: MemorySharing,
        protection: MemoryProtection, commits: Bool
    ) throws(HostMemoryError) {
        let extent = try file.extent(.map, offset: offset, count: count)
        if sharing == .shared, protection.contains(.write), !file.isWritable {
            throw HostMemoryError(.map, extent.asked, file: file.name, .fileIsReadOnly)
        }
        if sharing == .copyOnWrite, file.pageSize != .size4K {
            throw HostMemoryError(.map, extent.asked, file: file.name, .copyOnWriteHugePages(file.pageSize))
        }
        self.extent = extent.asked
        self.count = extent.count
        self.file = file.name
        self.pageSize = file.pageSize
        self.descriptor = file.descriptor.rawValue
        self.offset = off_t(extent.offset)
        // Huge pages are always reserved: with none left, mmap fails now instead of a touch later with SIGBUS.
        let commits = commits || file.pageSize != .size4K
        self.flags = (sharing == .shared ? MAP_SHARED : MAP_PRIVATE) | (commits ? 0 : MAP_NORESERVE)
    }

    /// Maps it where the kernel likes.
    /// - Throws: `tooFewHugePages`, `tooManyMappings`, `system`.
    func map(_ protection: MemoryProtection) throws(HostMemoryError) -> UnsafeMutableRawPointer {
        guard let base = mmap(nil, count, protection.rawValue, flags, descriptor, offset), base != MAP_FAILED else {
            throw error(.last)
        }
        return base
    }

    /// Maps it at `base`, in place of what is there; the caller owns the range.
    /// - Throws: `tooFewHugePages`, `tooManyMappings`, `system`.
    func map(_ protection: MemoryProtection, at base: UnsafeMutableRawPointer) throws(HostMemoryError) {
        guard mmap(base, count, protection.rawValue, flags | MAP_FIXED, descriptor, offset) != MAP_FAILED else {
            throw error(.last)
        }
    }

    /// Whether its pages are those of a reservation, but for what may be done with them.
    var isLikeReserved: Bool { descriptor < 0 && flags & MAP_NORESERVE != 0 }

    /// Maps it where all is as it was reserved: to let those pages be used takes the kernel less than to map others.
    /// - Throws: `tooManyMappings`, `system`. Nothing has changed then.
    func map(_ protection: MemoryProtection, atReserved pages: HostPages) throws(HostMemoryError) {
        do throws(Errno) {
            try pages.protect(protection)
        } catch {
            // It is one mapping of the kernel's, which fails whole. This is for a kernel that does otherwise.
            try? pages.protect(.none)
            throw self.error(error)
        }
    }

    private func error(_ errno: Errno) -> HostMemoryError {
        let reason: HostMemoryError.Reason
        if errno == .noMemory, pageSize != .size4K {
            reason = .tooFewHugePages(pageSize)
        } else {
            reason = HostMemoryError.Reason(mapping: errno)
        }
        return HostMemoryError(.map, extent, file: file, reason)
    }
}
