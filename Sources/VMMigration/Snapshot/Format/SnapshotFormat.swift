import VMAddressSpace

/// The layout of a snapshot's file; `FORMAT.md` has every byte.
///
/// | part | place |
/// |---|---|
/// | header | the first page |
/// | memory | for each block, page n of it at its base + 4096 n; holes where there is no data |
/// | hashes | after the memory, from a page's start on: XXH3-64 of each data page, by block and page |
/// | index | after the hashes, to the end of the file: blocks, runs of pages, the parent's file, state |
///
/// Each byte belongs to one of them. Header and index have checksums, which opening compares. A byte of a data page or of its
/// hash is checked where the page is read; all other bytes of the memory must be zero, which `Snapshot.verify()` checks.
enum SnapshotFormat {
    /// `VMMSNAP1`, as a little-endian number.
    static let magic: UInt64 = 0x3150_414e_534d_4d56
    static let version: UInt32 = 1
    static let pageBytes = 4096
    static let pageShift = UInt64(PageSize.size4K.shift)
    /// Offsets in files stay below it, so that sums of two of them do not overflow, and page numbers fit 48 bits.
    static let offsetLimit: UInt64 = 1 << 60
    /// Blocks that are as long start at a multiple of it, so that huge pages can map them.
    static let blockAlignment: UInt64 = 2 << 20

    static let blockLimit = 4096
    /// In bytes of UTF-8, as the next.
    static let nameLimit = 255
    static let parentNameLimit = 4095
    static let stateLimit = 64 << 20
    /// In bytes: some 250 million runs.
    static let indexLimit: UInt64 = 4 << 30
    /// How many files a snapshot can be made of.
    static let depthLimit = 64

    /// Where each block starts in the file, and where the hashes do; nil where that passes `offsetLimit`.
    static func layOut(_ blocks: [RAMBlock]) -> (bases: [UInt64], memoryEnd: UInt64)? {
        var end = UInt64(pageBytes)
        var bases: [UInt64] = []
        for block in blocks {
            guard block.pageCount < offsetLimit >> pageShift else { return nil }
            if block.byteCount >= blockAlignment { end = (end + blockAlignment - 1) & ~(blockAlignment - 1) }
            bases.append(end)
            end += block.byteCount
            guard end < offsetLimit else { return nil }
        }
        return (bases, end)
    }
}
