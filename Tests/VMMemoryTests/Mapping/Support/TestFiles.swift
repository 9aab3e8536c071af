import Glibc
import SystemPackage

/// A file or a folder that is removed with its owner.
struct TemporaryFile: ~Copyable {
    let path: String

    /// A file of `byteCount` bytes, all `fill`.
    init(byteCount: Int, fill: UInt8 = 0, in folder: String = "/tmp") {
        var template = Array((folder + "/vmmemory-test-XXXXXX").utf8CString)
        let descriptor = mkstemp(&template)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if fill == 0 {
            ftruncate(descriptor, byteCount)
        } else {
            let bytes = [UInt8](repeating: fill, count: byteCount)
            _ = write(descriptor, bytes, byteCount)
        }
        close(descriptor)
    }

    deinit {
        unlink(path)
    }

    /// Its bytes.
    var contents: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        let count = read(descriptor, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }
}

/// The pages of 2 MiB that the host has reserved and nobody uses.
enum HugePagePool {
    static var free: Int {
        let text = ProcessMaps.text(of: "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
        return Int(text.prefix { $0.isNumber }) ?? 0
    }
}
