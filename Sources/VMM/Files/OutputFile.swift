import SystemPackage

/// A file that is to be written once there is something to write, and is opened before, so that nobody waits for what can
/// then not be kept.
struct OutputFile: ~Copyable {
    private let descriptor: FileDescriptor
    private let path: String
    /// What asks for it, for messages.
    private let label: String

    /// Opens or makes it. What is in it stays until `write(_:)`.
    /// - Parameter label: the option that names it.
    init(_ path: String, label: String) throws(Failure) {
        do {
            descriptor = try FileDescriptor.open(
                FilePath(path), .writeOnly, options: [.create, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
        } catch {
            throw Failure(.cannotCreate, "\(label): cannot write \(path): \(error)")
        }
        self.path = path
        self.label = label
    }

    deinit {
        try? descriptor.close()
    }

    /// Makes this all there is in it.
    borrowing func write(_ text: String) throws(Failure) {
        do {
            // A device or a pipe has no length to cut.
            do { try descriptor.resize(to: 0) } catch Errno.invalidArgument {}
            _ = try descriptor.writeAll(text.utf8)
        } catch {
            throw Failure(.cannotCreate, "\(label): cannot write \(path): \(error)")
        }
    }
}
