import CTransport
import Glibc
import Synchronization
import SystemPackage
import VMHost

/// A file that appears under its name only once it is whole.
///
/// It is written without a name (O_TMPFILE), which leaves nothing behind whatever happens; where the file system cannot do
/// that, under a temporary name beside its own, which is removed unless the process is killed. Publishing gives it a
/// temporary name first in both cases, for a rename alone replaces what is there in one step.
///
/// Only its owner may read it, since it holds a guest's memory.
final class OutputFile {
    /// Open for writing; who takes it closes it.
    let descriptor: CInt
    private let uri: MigrationURI
    private let folder: CInt
    private let name: String
    private let temporaryName: String
    private var hasTemporaryName: Bool
    private static let mode: mode_t = 0o600
    private static let number = Atomic<UInt64>(0)

    /// Makes sure that the file can be written, as far as that can be known, and replaced.
    /// - Parameter allowsNameless: false for a temporary name at once, as where the file system leaves no choice.
    init(_ path: String, _ uri: MigrationURI, allowsNameless: Bool = true) throws(TransportError) {
        let (folderPath, name) = Self.split(Self.resolved(path))
        let folder = open(folderPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw .file(uri, operation: "opening the folder \(folderPath)", .last) }
        let temporaryName = ".vmm-\(getpid())-\(Self.number.add(1, ordering: .relaxed).newValue).part"
        let descriptor: CInt
        let isNamed: Bool
        do throws(TransportError) {
            try Self.check(name, in: folder, uri)
            if allowsNameless, let nameless = Self.createNameless(in: folder) {
                (descriptor, isNamed) = (nameless, false)
            } else {
                (descriptor, isNamed) = (try Self.create(temporaryName, in: folder, uri), true)
            }
        } catch {
            close(folder)
            throw error
        }
        self.uri = uri
        self.folder = folder
        self.name = name
        self.temporaryName = temporaryName
        self.descriptor = descriptor
        hasTemporaryName = isNamed
    }

    deinit {
        if hasTemporaryName { unlinkat(folder, temporaryName, 0) }
        close(folder)
    }

    /// Makes the contents durable, gives the file its name, and makes that durable as far as the disk does its part: once the
    /// file has its name, whoever reads it has all of it, and the writer must not take it back.
    ///
    /// Where it throws, what was under the name before is still there.
    func publish() throws(TransportError) {
        try Self.sync(descriptor, "writing to the disk", uri)
        if !hasTemporaryName {
            let path = Self.pathOfOpenFile(descriptor)
            guard linkat(AT_FDCWD, path, folder, temporaryName, AT_SYMLINK_FOLLOW) == 0 else {
                throw Self.failure("naming the file", .last, uri)
            }
            hasTemporaryName = true
        }
        guard renameat(folder, temporaryName, folder, name) == 0 else { throw Self.failure("renaming", .last, uri) }
        hasTemporaryName = false
        try? Self.sync(folder, "writing the folder to the disk", uri)
    }

    /// - Parameter descriptor: of anything; pipes and devices have nothing to be written to a disk.
    static func sync(_ descriptor: CInt, _ operation: String, _ uri: MigrationURI) throws(TransportError) {
        while fsync(descriptor) != 0 {
            switch errno {
            case EINTR: continue
            case EINVAL, EROFS: return
            default: throw failure(operation, .last, uri)
            }
        }
    }

    static func failure(_ operation: String, _ errno: Errno, _ uri: MigrationURI) -> TransportError {
        switch errno {
        case .noSpace, .diskQuotaExceeded: .diskFull(uri, errno)
        default: .file(uri, operation: operation, errno)
        }
    }

    // MARK: Before anything is written

    /// The path without a symbolic link at its end, which the rename would replace instead of what it leads to.
    private static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let folder = path[...slash]
        return (String(folder), String(path[path.index(after: slash)...]))
    }

    private static func check(_ name: String, in folder: CInt, _ uri: MigrationURI) throws(TransportError) {
        guard !name.isEmpty else { throw .file(uri, operation: "creating", .isDirectory) }
        var status = stat()
        guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return }
            throw .file(uri, operation: "creating", .last)
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw .file(uri, operation: "creating", .isDirectory)
        default: throw .notARegularFile(uri)
        }
        guard faccessat(folder, name, W_OK, 0) == 0 else { throw .file(uri, operation: "replacing", .last) }
    }

    /// - Returns: nil where the file system has no such files.
    private static func createNameless(in folder: CInt) -> CInt? {
        let created = openat(folder, ".", CTRANSPORT_O_TMPFILE | O_DIRECTORY | O_WRONLY | O_CLOEXEC, mode)
        guard created >= 0 else { return nil }
        // Without /proc it could not be given a name later.
        if access(pathOfOpenFile(created), F_OK) == 0 { return created }
        close(created)
        return nil
    }

    private static func create(
        _ temporaryName: String, in folder: CInt, _ uri: MigrationURI
    ) throws(TransportError) -> CInt {
        let created = openat(folder, temporaryName, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode)
        guard created >= 0 else { throw failure("creating a file in its folder", .last, uri) }
        return created
    }

    private static func pathOfOpenFile(_ descriptor: CInt) -> String { "/proc/self/fd/\(descriptor)" }
}
