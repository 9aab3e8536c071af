import Glibc

/// A folder of its own, removed with everything in it when the owner goes away.
final class TemporaryFolder {
    let path: String
    private var names: [String] = []

    init() {
        var template = Array("/tmp/vmboot-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
    }

    deinit {
        for name in names { _ = remove(path + "/" + name) }
        rmdir(path)
    }

    func file(_ name: String, _ bytes: [UInt8]) -> String {
        let path = reserve(name)
        let file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o644)
        _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        close(file)
        return path
    }

    func fifo(_ name: String) -> String {
        let path = reserve(name)
        mkfifo(path, 0o644)
        return path
    }

    private func reserve(_ name: String) -> String {
        names.append(name)
        return path + "/" + name
    }
}

/// Runs `body` without root's right to read every file. Only this thread is concerned.
func withoutRootsRights(_ body: () -> Void) {
    typealias SetFileSystemUser = @convention(c) (uid_t) -> CInt
    guard geteuid() == 0, let symbol = dlsym(nil, "setfsuid") else { return body() }
    let setFileSystemUser = unsafeBitCast(symbol, to: SetFileSystemUser.self)
    _ = setFileSystemUser(65534)
    body()
    _ = setFileSystemUser(0)
}
