import Glibc
import SystemPackage

/// A file that is to be written once there is something to write, and is opened before, so that nobody waits for what can
/// then not be kept.
struct OutputFile: ~Copyable {
    /// Nil once it is written.
    private var descriptor: FileDescriptor?
    private let path: String
    /// What asks for it, for messages.
    private let label: String
    /// Whether it was not there.
    private let isNew: Bool

    /// Opens or makes it. What is in it stays until it is written; if it never is, and was not there before, it goes.
    /// - Parameter label: the option that names it.
    init(_ path: String, label: String) throws(Failure) {
        do {
            (descriptor, isNew) = try Self.open(FilePath(path))
        } catch {
            throw Failure(.cannotCreate, "\(label): cannot write \(path): \(error)")
        }
        self.path = path
        self.label = label
    }

    deinit {
        guard let descriptor else { return }
        try? descriptor.close()
        if isNew { unlink(path) }
    }

    /// Makes this all there is in it. Once.
    mutating func write(_ text: String) throws(Failure) {
        guard let descriptor else { return }
        self.descriptor = nil
        do {
            // A device or a pipe has no length to cut.
            do { try descriptor.resize(to: 0) } catch Errno.invalidArgument {}
            _ = try descriptor.closeAfter { try descriptor.writeAll(text.utf8) }
        } catch {
            throw Failure(.cannotCreate, "\(label): cannot write \(path): \(error)")
        }
    }

    private static func open(_ path: FilePath) throws -> (FileDescriptor, isNew: Bool) {
        let permissions: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]
        do {
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: permissions)
            return (file, true)
        } catch Errno.fileExists {
            return (try FileDescriptor.open(path, .writeOnly, options: [.closeOnExec]), false)
        }
    }
}
