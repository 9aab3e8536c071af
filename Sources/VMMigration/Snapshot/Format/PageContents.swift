import CChecksum
import Glibc

/// What is computed of a page's 4096 bytes.
enum PageContents {
    static func hash(_ page: UnsafeRawPointer) -> UInt64 {
        cchecksum_xxh3(page, SnapshotFormat.pageBytes, 0)
    }

    static func isZero(_ page: UnsafeRawPointer) -> Bool {
        isZero(UnsafeRawBufferPointer(start: page, count: SnapshotFormat.pageBytes))
    }

    /// - Parameter bytes: 8 or more.
    static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress, start.loadUnaligned(as: UInt64.self) == 0 else { return false }
        // Each is what the one 8 bytes before is. Most pages that are not zero were known by their first 8 bytes.
        return memcmp(start, start + 8, bytes.count - 8) == 0
    }
}
