import Glibc
import SystemPackage
import VMHost

/// The owner of a descriptor, which reads whole ranges.
struct FileReader: ~Copyable, Sendable {
    let descriptor: FileDescriptor
    let path: FilePath

    init(owning descriptor: FileDescriptor, path: FilePath) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        // Nothing was written, so there is no error that could still come.
        close(descriptor.rawValue)
    }

    /// Reads until the bytes are full.
    /// - Throws: `cutOff` where the file ends before; `system`.
    func read(
        _ operation: SnapshotError.Operation, into bytes: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(SnapshotError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[done...])
            let count = pread(descriptor.rawValue, rest.baseAddress, rest.count, off_t(offset) + done)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SnapshotError(operation, path, Errno.last) }
            guard count > 0 else {
                throw SnapshotError(operation, path, .cutOff(offset + UInt64(bytes.count)))
            }
            done += count
        }
    }
}

extension FileReader {
    /// Kernel ABI; Swift's Glibc leaves it out (lseek(2)).
    private static let seekData: CInt = 3

    /// Where the next data is, at or after an offset; the largest number where there is none. Where the file system does not
    /// know of holes, all is data.
    func data(from offset: UInt64) throws(SnapshotError) -> UInt64 {
        let found = lseek(descriptor.rawValue, off_t(offset), Self.seekData)
        guard found < 0 else { return UInt64(found) }
        guard errno == ENXIO else { throw SnapshotError(.verify, path, Errno.last) }
        return .max
    }
}
