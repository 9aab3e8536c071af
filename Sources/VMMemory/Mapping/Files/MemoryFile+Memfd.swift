import CHostMemory
import Glibc
import SystemPackage
import VMAddressSpace
import VMHost

extension MemoryFile {
    /// The longest name of a memfd, in bytes (memfd_create(2)).
    static let longestMemfdName = 249

    /// Makes a memfd: zeroed memory without a path, which other processes share once they are given the descriptor. Its
    /// pages are provided as they are first touched.
    ///
    /// - Parameters:
    ///   - name: shown in `/proc/<pid>/maps`; at most 249 bytes.
    ///   - byteCount: its length, a multiple of `pageSize`.
    ///   - pageSize: larger than 4 KiB for huge pages from the host's pool (hugetlb). They are reserved when they are
    ///     mapped.
    ///   - sealed: whether nobody can shrink it, or change its seals, any more (`F_SEAL_SHRINK`, `F_SEAL_SEAL`). Memory
    ///     that is shared with another process should be sealed: touching what that process cut off is a `SIGBUS`.
    /// - Throws: `empty`, `misaligned`, `outOfBounds` past 2^63, `nameTooLong`, `fileSizeLimit`; `noHugePageSize` where
    ///   the host has none of that size; `system` with `EMFILE`, `ENFILE`, `ENOMEM` or `EFBIG`.
    public init(
        memfd name: String, byteCount: UInt64, pageSize: PageSize = .size4K, sealed: Bool = true
    ) throws(HostMemoryError) {
        let extent = try PageExtent(
            .createMemfd, offset: 0, count: byteCount, limit: UInt64(Int64.max), pageSize: pageSize, file: name)
        func failure(_ reason: HostMemoryError.Reason) -> HostMemoryError {
            HostMemoryError(.createMemfd, extent.asked, file: name, reason)
        }
        guard name.utf8.count <= Self.longestMemfdName else {
            throw failure(.nameTooLong(limit: Self.longestMemfdName))
        }
        if let limit = FileSizeLimit.refusing(byteCount) { throw failure(.fileSizeLimit(limit)) }

        let file: MemoryFile
        switch Self.createMemfd(name, pageSize) {
        case .success(let descriptor):
            file = MemoryFile(
                owning: descriptor, name: "memfd:" + name, isWritable: true, pageSize: pageSize,
                leastByteCount: sealed ? byteCount : 0)
        case .failure(.noDevice), .failure(.noSuchFileOrDirectory):
            throw failure(.noHugePageSize(pageSize))
        case .failure(let errno):
            throw failure(.system(errno))
        }
        guard ftruncate(file.descriptor.rawValue, extent.count) == 0 else { throw failure(.system(.last)) }
        if sealed {
            let seals = CHOSTMEMORY_F_SEAL_SHRINK | CHOSTMEMORY_F_SEAL_SEAL
            guard fcntl(file.descriptor.rawValue, CHOSTMEMORY_F_ADD_SEALS, seals) == 0 else {
                throw failure(.system(.last))
            }
        }
        self = file
    }

    private static func createMemfd(_ name: String, _ pageSize: PageSize) -> Result<FileDescriptor, Errno> {
        var flags = CHOSTMEMORY_MFD_CLOEXEC | CHOSTMEMORY_MFD_ALLOW_SEALING
        if pageSize != .size4K {
            let log2 = UInt32(pageSize.bytes.trailingZeroBitCount)
            flags |= CHOSTMEMORY_MFD_HUGETLB | log2 << CHOSTMEMORY_MFD_HUGE_SHIFT
        }
        // Guest memory is never a program of the host's. A host can insist on hearing so (vm.memfd_noexec = 2); a
        // kernel before 6.3 does not know the flag.
        var result = chostmemory_memfd_create(name, flags | CHOSTMEMORY_MFD_NOEXEC_SEAL)
        if result == -EINVAL { result = chostmemory_memfd_create(name, flags) }
        return result < 0 ? .failure(Errno(rawValue: -result)) : .success(FileDescriptor(rawValue: result))
    }
}
