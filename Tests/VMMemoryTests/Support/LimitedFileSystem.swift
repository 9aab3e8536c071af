import Glibc
import SystemPackage
import TestSupport

/// A file system in memory that has room for a few pages.
enum LimitedFileSystem {
    static let skipReason = "needs the right to mount a file system (CAP_SYS_ADMIN)"
    static let isUsable: Bool = {
        guard let file = makeFile(byteCount: 4096, roomForPages: 1) else { return false }
        return (try? file.close()) != nil
    }()

    /// An empty sparse file on such a file system, which is mounted only until the file is open and lasts as long as it is
    /// open or mapped; nil where this process may not mount one.
    static func makeFile(byteCount: Int, roomForPages pages: Int) -> FileDescriptor? {
        guard let folder = try? TemporaryFolder() else { return nil }
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=\(pages * 4096)") == 0 else { return nil }
        defer { umount2(folder.path, CInt(MNT_DETACH)) }
        let file = open(folder.path("sparse"), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { return nil }
        guard ftruncate(file, byteCount) == 0 else {
            close(file)
            return nil
        }
        return FileDescriptor(rawValue: file)
    }
}
