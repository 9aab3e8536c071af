import Glibc
import SystemPackage
import VMAddressSpace
import VMHost

/// The owner of a file whose contents are memory: a memfd, or a regular file. Mappings made of it outlive it.
///
/// Threads: any, several at once.
public struct MemoryFile: ~Copyable, Sendable {
    /// Open as long as this value lives.
    public let descriptor: FileDescriptor
    /// Its path, or `memfd:` and the memfd's name.
    public let name: String
    /// Whether shared mappings of it can be written.
    public let isWritable: Bool
    /// What offsets and lengths in it must be multiples of: 4 KiB, or its huge pages' size.
    public let pageSize: PageSize
    /// A length in bytes that it never falls below: that of a memfd which is sealed against shrinking, 0 elsewhere.
    let leastByteCount: UInt64

    init(
        owning descriptor: FileDescriptor, name: String, isWritable: Bool, pageSize: PageSize,
        leastByteCount: UInt64 = 0
    ) {
        self.descriptor = descriptor
        self.name = name
        self.isWritable = isWritable
        self.pageSize = pageSize
        self.leastByteCount = leastByteCount
    }

    deinit {
        // Nothing was written through the descriptor, so there is no error that could still come.
        close(descriptor.rawValue)
    }

    /// Its length in bytes. Unless it is a memfd sealed against shrinking, anyone who can write it can change it.
    public var byteCount: UInt64 {
        get throws(HostMemoryError) {
            var status = stat()
            guard fstat(descriptor.rawValue, &status) == 0 else {
                throw HostMemoryError(.getLength, file: name, .system(.last))
            }
            return UInt64(clamping: status.st_size)
        }
    }

    /// A range of whole pages in the file as it is now.
    /// - Throws: `empty`, `misaligned`, `outOfBounds` past 2^63, `fileTooShort`.
    func extent(
        _ operation: HostMemoryError.Operation, offset: UInt64, count: UInt64
    ) throws(HostMemoryError) -> PageExtent {
        let extent = try PageExtent(
            operation, offset: offset, count: count, limit: UInt64(Int64.max), pageSize: pageSize, file: name)
        // Mostly there is no need to ask the kernel.
        if extent.bytes.upperBound <= leastByteCount { return extent }
        let length = try byteCount
        guard extent.bytes.upperBound <= length else {
            throw HostMemoryError(operation, extent.asked, file: name, .fileTooShort(length: length))
        }
        return extent
    }
}
