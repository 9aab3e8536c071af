import Glibc

/// Where the parts of a bitmap lie in its one mapping: the header, the summary (one bit for each word of pages), then
/// the words from a host page of their own, so that growing opens a longer prefix of the mapping and nothing else.
struct BitmapLayout {
    let pageShift: UInt64
    let wordsOffset: Int
    let mappedBytes: Int

    /// - Parameter byteCount: the longest memory to be tracked.
    init(byteCount: UInt64, pageShift: UInt64) {
        // No sum can overflow: there are at most 2^58 words, 2^61 bytes of them.
        let words = Self.wordCount(byteCount: byteCount, pageShift: pageShift)
        self.pageShift = pageShift
        wordsOffset = Self.roundedToHostPages(BitmapStorage.summaryOffset + (words + 63) / 64 * 8)
        mappedBytes = Self.roundedToHostPages(wordsOffset + words * 8)
    }

    /// The prefix of the mapping that tracking `byteCount` bytes needs.
    func accessibleBytes(byteCount: UInt64) -> Int {
        Self.roundedToHostPages(wordsOffset + Self.wordCount(byteCount: byteCount, pageShift: pageShift) * 8)
    }

    private static func wordCount(byteCount: UInt64, pageShift: UInt64) -> Int {
        let pages = BitmapStorage.pageCount(byteCount: byteCount, pageShift: pageShift)
        return Int(pages / 64) + (pages % 64 == 0 ? 0 : 1)
    }

    private static func roundedToHostPages(_ bytes: Int) -> Int {
        let page = sysconf(Int32(_SC_PAGESIZE))
        return (bytes + page - 1) / page * page
    }
}
