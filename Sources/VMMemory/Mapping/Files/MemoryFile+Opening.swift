import CHostMemory
import Glibc
import SystemPackage
import VMAddressSpace
import VMHost

extension MemoryFile {
    /// How a file is opened.
    public enum Access: Hashable, Sendable {
        /// It can be mapped read-only, or copy-on-write.
        case readOnly
        case readWrite
    }

    /// Opens a regular file. A file on hugetlbfs brings its file system's page size.
    /// - Throws: `notAFile` for a directory, a device, a pipe or a socket, none of which is opened; `system` with
    ///   `ENOENT`, `EACCES`, `EROFS`, `EMFILE` or whatever else open(2) says.
    public init(path: FilePath, access: Access) throws(HostMemoryError) {
        let name = String(decoding: path)
        // Opening a device can do things to it, and opening a pipe waits for its other end.
        var status = stat()
        guard path.withPlatformString({ stat($0, &status) }) == 0 else {
            throw HostMemoryError(.open, file: name, .system(.last))
        }
        if let kind = HostMemoryError.FileKind(mode: status.st_mode) {
            throw HostMemoryError(.open, file: name, .notAFile(kind))
        }
        let descriptor: FileDescriptor
        do {
            // Not to wait should it have become a pipe since.
            descriptor = try FileDescriptor.open(
                path, access == .readOnly ? .readOnly : .readWrite, options: [.closeOnExec, .nonBlocking])
        } catch {
            throw HostMemoryError(.open, file: name, .system((error as? Errno) ?? .ioError))
        }
        try self.init(checking: descriptor, name: name, .open)
    }

    /// Takes over a descriptor that came from elsewhere, such as a memfd from another process. It is closed with the
    /// new value; where this throws, it is closed too.
    ///
    /// - Parameter name: what errors call it.
    /// - Throws: `notAFile`; `fileIsNotReadable` where it is open for writing only, or for neither (`O_PATH`); `system`
    ///   with `EBADF` where it is not open.
    public init(adopting descriptor: FileDescriptor, name: String) throws(HostMemoryError) {
        try self.init(checking: descriptor, name: name, .adopt)
    }

    private init(
        checking descriptor: FileDescriptor, name: String, _ operation: HostMemoryError.Operation
    ) throws(HostMemoryError) {
        let kept: MemoryFile
        do {
            kept = try Self.checked(descriptor, name, operation)
        } catch {
            close(descriptor.rawValue)
            throw error
        }
        self = kept
    }

    private static func checked(
        _ descriptor: FileDescriptor, _ name: String, _ operation: HostMemoryError.Operation
    ) throws(HostMemoryError) -> MemoryFile {
        var status = stat()
        let mode = fcntl(descriptor.rawValue, F_GETFL)
        guard mode >= 0, fstat(descriptor.rawValue, &status) == 0 else {
            throw HostMemoryError(operation, file: name, .system(.last))
        }
        if let kind = HostMemoryError.FileKind(mode: status.st_mode) {
            throw HostMemoryError(operation, file: name, .notAFile(kind))
        }
        guard mode & O_ACCMODE != O_WRONLY, mode & CHOSTMEMORY_O_PATH == 0 else {
            throw HostMemoryError(operation, file: name, .fileIsNotReadable)
        }
        let hugePageSize = chostmemory_huge_page_size(descriptor.rawValue)
        guard hugePageSize >= 0 else {
            throw HostMemoryError(operation, file: name, .system(Errno(rawValue: CInt(-hugePageSize))))
        }
        guard let pageSize = hugePageSize == 0 ? .size4K : PageSize(rawValue: UInt64(hugePageSize)) else {
            throw HostMemoryError(operation, file: name, .system(.notSupported))
        }
        return MemoryFile(
            owning: descriptor, name: name, isWritable: mode & O_ACCMODE == O_RDWR, pageSize: pageSize)
    }
}

extension HostMemoryError.FileKind {
    /// - Parameter mode: a file's `st_mode`.
    /// - Returns: nil for a regular file.
    fileprivate init?(mode: mode_t) {
        switch mode & S_IFMT {
        case S_IFREG: return nil
        case S_IFDIR: self = .directory
        case S_IFCHR: self = .characterDevice
        case S_IFBLK: self = .blockDevice
        case S_IFIFO: self = .pipe
        case S_IFSOCK: self = .socket
        default: self = .other
        }
    }
}
