import Glibc

/// A folder of its own, removed with everything in it when the owner goes away. Every user may enter it.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws(ChildError) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/vmm-tests-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw ChildError("mkdtemp in \(parent)", errno) }
        path = String(cString: made)
        chmod(path, 0o755)
    }

    deinit {
        Self.remove(path)
    }

    private static func remove(_ path: String) {
        if Glibc.remove(path) == 0 { return }
        for name in (try? entries(path)) ?? [] { remove("\(path)/\(name)") }
        rmdir(path)
    }

    /// The names of what is in any folder.
    public static func entries(_ path: String) throws(ChildError) -> [String] {
        guard let folder = opendir(path) else { throw ChildError("opening \(path)", errno) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// The path of what is called so in it, whether it is there or not.
    public func path(_ name: String) -> String {
        "\(path)/\(name)"
    }

    /// Writes a file and returns its path.
    /// - Parameter size: what to extend it to, with zeros that take no space.
    public func file(
        _ name: String, _ bytes: some Collection<UInt8>, size: Int? = nil, mode: mode_t = 0o644
    ) throws(ChildError) -> String {
        let path = path(name)
        let file = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw ChildError("creating \(path)", errno) }
        defer { close(file) }
        let contents = Array(bytes)
        guard write(file, contents, contents.count) == contents.count else {
            throw ChildError("writing \(path)", errno)
        }
        if let size, ftruncate(file, size) != 0 { throw ChildError("extending \(path)", errno) }
        // Whatever the mask for new files says.
        fchmod(file, mode)
        return path
    }

    public func file(_ name: String, _ text: String) throws(ChildError) -> String {
        try file(name, text.utf8)
    }

    public func pipe(_ name: String) throws(ChildError) -> String {
        guard mkfifo(path(name), 0o644) == 0 else { throw ChildError("mkfifo", errno) }
        return path(name)
    }

    public func contents(_ name: String) throws(ChildError) -> [UInt8] {
        try Self.contents(ofFile: path(name))
    }

    /// The contents of any file.
    public static func contents(ofFile path: String) throws(ChildError) -> [UInt8] {
        guard let file = fopen(path, "r") else { throw ChildError("opening \(path)", errno) }
        defer { fclose(file) }
        var contents: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { contents += buffer[..<count] }
        return contents
    }
}
