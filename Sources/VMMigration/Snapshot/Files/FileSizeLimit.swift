import Glibc

/// The process's limit on file sizes (RLIMIT_FSIZE). A call that would pass it kills the process with `SIGXFSZ`, so it must be
/// asked first.
enum FileSizeLimit {
    /// The limit in bytes where a file of `byteCount` bytes would pass it, nil where it would not.
    static func refusing(_ byteCount: UInt64) -> UInt64? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { return nil }
        return byteCount > UInt64(limit.rlim_cur) ? UInt64(limit.rlim_cur) : nil
    }
}
