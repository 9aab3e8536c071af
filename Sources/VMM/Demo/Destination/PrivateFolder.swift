import Glibc
import SystemPackage

/// A folder of its own in the folder for temporary files, which nobody else may enter. It goes away with its owner, and what is
/// in it.
struct PrivateFolder: ~Copyable {
    let path: String

    init() throws(Failure) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/vmm-demo-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw Failure(.cannotCreate, "cannot make a folder in \(parent): \(Errno(rawValue: errno))")
        }
        path = String(cString: made)
    }

    deinit {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { unlink("\(path)/\(name)") }
            }
            closedir(folder)
        }
        rmdir(path)
    }
}
