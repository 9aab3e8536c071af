import Glibc

/// Where the parts of a bitmap lie in its one piece of memory: the header, the summary (one bit for each word of pages),
/// then the words.
///
/// A small one that has no words to grow by is on the heap: fresh pages from the kernel would cost more than all that is
/// done with it. Any other is a mapping, in which the words have host pages of their own, so that growing opens a longer
/// prefix of the mapping and nothing else.
struct BitmapLayout {
    let pageShift: UInt64
    let wordsOffset: Int
    let byteCount: Int
    let isOnHeap: Bool

    private static let largestOnHeap = 64 << 10

    /// - Parameters:
    ///   - trackedBytes: the length of the memory to be tracked at first.
    ///   - limit: the longest it is to become.
    init(trackedBytes: UInt64, growableTo limit: UInt64, pageShift: UInt64) {
        // No sum can overflow: there are at most 2^58 words, 2^61 bytes of them.
        let words = Self.wordCount(byteCount: limit, pageShift: pageShift)
        let summaryEnd = BitmapStorage.summaryOffset + (words + 63) / 64 * 8
        // From a cache line of their own.
        let compactOffset = (summaryEnd + 63) / 64 * 64
        let compactBytes = compactOffset + words * 8
        let isFixed = words == Self.wordCount(byteCount: trackedBytes, pageShift: pageShift)
        self.pageShift = pageShift
        isOnHeap = isFixed && compactBytes <= Self.largestOnHeap
        wordsOffset = isOnHeap ? compactOffset : Self.roundedToHostPages(summaryEnd)
        byteCount = isOnHeap ? compactBytes : Self.roundedToHostPages(wordsOffset + words * 8)
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
