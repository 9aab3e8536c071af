import Glibc
import SystemPackage

extension HostMemoryError.Reason {
    /// Why a call that makes or splits mappings failed. `ENOMEM` stands for several things there; this tells the limit
    /// on their number (vm.max_map_count) from the others.
    init(mapping errno: Errno) {
        // A call may need two mappings more than it leaves, and other threads come and go.
        if errno == .noMemory, let limit = MappingLimit.limit, let count = MappingLimit.count, count >= limit - 8 {
            self = .tooManyMappings(limit: limit)
        } else {
            self = .system(errno)
        }
    }
}

/// How many mappings the process has and may have. Read only where a call has failed.
private enum MappingLimit {
    static var limit: Int? {
        var limit: Int?
        read("/proc/sys/vm/max_map_count") { text in
            limit = text.prefix { $0 >= UInt8(ascii: "0") }.reduce(limit ?? 0) { value, digit in
                value &* 10 &+ Int(digit - UInt8(ascii: "0"))
            }
        }
        return limit
    }

    /// The lines of `/proc/self/maps`, less the one for [vsyscall], which is not a mapping.
    static var count: Int? {
        var count: Int?
        read("/proc/self/maps") { text in
            count = text.reduce(count ?? -1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
        }
        return count
    }

    private static func read(_ path: StaticString, _ body: (Slice<UnsafeRawBufferPointer>) -> Void) {
        guard let file = try? FileDescriptor.open(FilePath("\(path)"), .readOnly, options: .closeOnExec) else { return }
        // On the stack: where memory for mappings has run out, malloc may have none either.
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            while let count = try? file.read(into: buffer), count > 0 {
                body(UnsafeRawBufferPointer(buffer).prefix(count))
            }
        }
        try? file.close()
    }
}
