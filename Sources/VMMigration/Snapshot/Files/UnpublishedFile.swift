import Glibc
import SystemPackage
import VMHost

/// A file that is being written and is not under its name yet. If it never comes to that, nothing is left of it.
///
/// It has no name at all (`O_TMPFILE`), so that it is gone however the process ends. Where the file system cannot, or there is
/// no `/proc` by which it could be given a name, it has one that ends in `.part`, which a process that is killed leaves behind.
struct UnpublishedFile: ~Copyable, Sendable {
    let descriptor: FileDescriptor
    let path: FilePath
    private let calls: FileCalls
    private let replaces: Bool
    /// A name for the time until it has the right one.
    private let partPath: FilePath
    private var hasPartPath: Bool

    /// - Parameters:
    ///   - path: where it is to be.
    ///   - id: what other processes do not name their files by.
    ///   - replaces: a file that is there then.
    ///   - sources: what must not be replaced.
    init(
        _ path: FilePath, id: SnapshotID, replaces: Bool, sources: [FileIdentity], calls: FileCalls
    ) throws(SnapshotError) {
        if let there = try FileIdentity.find(path, .create) {
            guard !sources.contains(there) else { throw SnapshotError(.create, path, .isSource) }
            guard replaces else { throw SnapshotError(.create, path, .exists) }
        }
        let partPath = path.folder.appending(".\(id).part")
        let (descriptor, isNamed): (FileDescriptor, Bool)
        do throws(Errno) {
            guard path.lastComponent?.kind == .regular else { throw .isDirectory }
            (descriptor, isNamed) = try Self.make(in: path.folder, partPath, calls)
        } catch {
            throw SnapshotError(.create, path, error)
        }
        self.descriptor = descriptor
        self.path = path
        self.calls = calls
        self.replaces = replaces
        self.partPath = partPath
        hasPartPath = isNamed
    }

    deinit {
        close(descriptor.rawValue)
        if hasPartPath { try? calls.unlink(partPath) }
    }

    private static func make(
        in folder: FilePath, _ partPath: FilePath, _ calls: FileCalls
    ) throws(Errno) -> (FileDescriptor, isNamed: Bool) {
        do throws(Errno) {
            let file = try calls.makeUnnamed(in: folder)
            if access(FileCalls.link(to: file), F_OK) == 0 { return (file, false) }
            close(file.rawValue)
        } catch .notSupported, .isDirectory, .noSuchFileOrDirectory {
            // The last two are what kernels and file systems say that do not know the flag.
        }
        return (try calls.makeNamed(partPath), true)
    }

    /// Gives the file its name: all at once, in place of what has it. What was written must be on the disk.
    mutating func publish() throws(SnapshotError) {
        do throws(Errno) {
            try takeName()
        } catch {
            throw error == .fileExists
                ? SnapshotError(.publish, path, .exists) : SnapshotError(.publish, path, error)
        }
        do throws(Errno) {
            try synchronizeFolder()
        } catch {
            throw SnapshotError(.synchronizeFolder, path, error)
        }
    }

    private mutating func takeName() throws(Errno) {
        if replaces {
            if !hasPartPath { try calls.link(descriptor, as: partPath) }
            hasPartPath = true
            try calls.rename(partPath, to: path)
            hasPartPath = false
        } else if hasPartPath {
            // Not renamed: that would replace what came to be there since.
            try calls.link(partPath, as: path)
        } else {
            try calls.link(descriptor, as: path)
        }
    }

    private mutating func synchronizeFolder() throws(Errno) {
        if hasPartPath {
            try calls.unlink(partPath)
            hasPartPath = false
        }
        let folder = try calls.openFolder(path.folder)
        defer { close(folder.rawValue) }
        do throws(Errno) {
            try calls.synchronize(folder)
        } catch .invalidArgument {
            // The file system has no such thing; there is nothing else to be done.
        }
    }
}
