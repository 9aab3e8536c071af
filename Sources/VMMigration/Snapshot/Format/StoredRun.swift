/// Pages of a block that follow one another and that a file says the same of. In the file, two numbers of 8 bytes.
struct StoredRun: Hashable {
    /// In the block.
    let pages: Range<UInt64>
    /// They are zero, rather than in the file.
    let isZero: Bool

    static let byteCount = 16
    private static let zeroFlag: UInt64 = 1 << 63

    /// How many pages, and whether they are zero.
    var countWord: UInt64 { UInt64(pages.count) | (isZero ? Self.zeroFlag : 0) }

    init(pages: Range<UInt64>, isZero: Bool) {
        self.pages = pages
        self.isZero = isZero
    }

    /// - Parameters:
    ///   - after: where the run before ended.
    ///   - pageCount: of the block.
    init(
        first: UInt64, countWord: UInt64, after: UInt64, pageCount: UInt64
    ) throws(SnapshotError.Flaw) {
        let count = countWord & ~Self.zeroFlag
        guard count > 0 else { throw .emptyRun }
        guard first >= after else { throw .runOrder }
        guard first < pageCount, count <= pageCount - first else { throw .runOutOfBlock }
        pages = first..<(first + count)
        isZero = countWord & Self.zeroFlag != 0
    }
}
