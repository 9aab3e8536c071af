import Glibc

/// A file system that is soon full.
public final class SmallDisk {
    public let folder: TemporaryFolder

    /// Nil where this process may not mount one.
    public init?(bytes: Int) throws {
        folder = try TemporaryFolder()
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=\(bytes)") == 0 else { return nil }
    }

    deinit { umount2(folder.path, Int32(MNT_DETACH)) }

    /// Whether this process may have one.
    public static let isUsable = (try? SmallDisk(bytes: 1 << 20)) ?? nil != nil
}
