import Glibc
import SystemPackage
import VMHost

/// Which file it is, whatever it is called, and what kind of file.
struct FileIdentity: Equatable {
    let device: dev_t
    let number: ino_t

    private init(_ status: stat) {
        device = status.st_dev
        number = status.st_ino
    }

    /// - Returns: nil where there is nothing.
    /// - Throws: `notAFile` where there is something else than a regular file; `system`.
    static func find(
        _ path: FilePath, _ operation: SnapshotError.Operation
    ) throws(SnapshotError) -> FileIdentity? {
        var status = stat()
        guard path.withPlatformString({ stat($0, &status) }) == 0 else {
            if Errno.last == .noSuchFileOrDirectory { return nil }
            throw SnapshotError(operation, path, .last)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw SnapshotError(operation, path, .notAFile) }
        return FileIdentity(status)
    }

    /// Of a file that is open, with its length.
    static func of(
        _ file: FileDescriptor, _ path: FilePath
    ) throws(SnapshotError) -> (identity: FileIdentity, length: UInt64) {
        var status = stat()
        guard fstat(file.rawValue, &status) == 0 else { throw SnapshotError(.open, path, .last) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw SnapshotError(.open, path, .notAFile) }
        return (FileIdentity(status), UInt64(clamping: status.st_size))
    }
}
