import Glibc
import Synchronization

/// A bitmap's memory, as a pointer: words of pages, a summary with one bit for each word, and the header over both.
///
/// Nothing here owns anything. What may be assumed between marks and harvests is told on `AtomicBitmap`.
@frozen
@usableFromInline
struct BitmapStorage: BitwiseCopyable, @unchecked Sendable {
    // SAFETY: whoever hands a storage on keeps the `AtomicBitmap` behind it alive (or, for a `BorrowedSlice`, has its
    // user promise to), so the mapping is there. What changes in it is atomic; the rest is set before it is shared.
    @usableFromInline let header: UnsafeMutablePointer<BitmapHeader>

    /// From the header to the summary: the two cache lines that processors fetch together, for the header is only read
    /// while every processor writes to the summary.
    @inlinable
    static var summaryOffset: Int { 128 }

    /// One bit for each word; a clear bit says that a harvest need not look at the word.
    @inlinable
    var summary: UnsafeMutablePointer<Atomic<UInt64>> {
        // SAFETY: the layout puts the summary there.
        (UnsafeMutableRawPointer(header) + Self.summaryOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// One bit for each page.
    @inlinable
    var words: UnsafeMutablePointer<Atomic<UInt64>> { header.pointee.words }

    @inlinable
    var pageShift: UInt64 { header.pointee.pageShift }

    /// The length of the tracked memory.
    @inlinable
    var byteCount: UInt64 { header.pointee.byteCount.load(ordering: .acquiring) }

    @inlinable
    var pageCount: UInt64 { Self.pageCount(byteCount: byteCount, pageShift: pageShift) }

    /// The pages of `byteCount` bytes, the last perhaps there only in part.
    @inlinable
    static func pageCount(byteCount: UInt64, pageShift: UInt64) -> UInt64 {
        byteCount == 0 ? 0 : ((byteCount &- 1) &>> pageShift) &+ 1
    }

    /// The pages that have any of `count` bytes at `offset`, first and last, or nil where there are none.
    @inlinable
    @inline(__always)
    func pages(offset: UInt64, count: UInt64) -> (first: UInt64, last: UInt64)? {
        let byteCount = byteCount
        guard offset < byteCount, count != 0 else { return nil }
        let last = offset &+ min(count &- 1, byteCount &- offset &- 1)
        return (offset &>> pageShift, last &>> pageShift)
    }
}

extension BitmapStorage {
    /// Maps a clean bitmap: `layout.mappedBytes` of address space, of which `byteCount` needs a prefix now. Pages that
    /// nobody marks get no host memory.
    /// - Returns: nil with `errno` set where the host would not.
    static func map(_ layout: BitmapLayout, byteCount: UInt64) -> BitmapStorage? {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = mmap(nil, layout.mappedBytes, PROT_NONE, flags, -1, 0), base != MAP_FAILED else { return nil }
        guard mprotect(base, layout.accessibleBytes(byteCount: byteCount), PROT_READ | PROT_WRITE) == 0 else {
            let reason = errno
            munmap(base, layout.mappedBytes)
            errno = reason
            return nil
        }
        // SAFETY: the mapping starts with a page that can be written, and holds the words from `wordsOffset` on. Zeroed
        // memory is a clean `Atomic<UInt64>`, which has the representation of its value.
        let words = (base + layout.wordsOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
        let header = base.bindMemory(to: BitmapHeader.self, capacity: 1)
        header.initialize(to: BitmapHeader(byteCount: byteCount, pageShift: layout.pageShift, words: words))
        return BitmapStorage(header: header)
    }

    /// Makes room for `byteCount` bytes, then lets marks reach it. What others see never shrinks, whoever grows at once.
    /// - Returns: false with `errno` set where the host would not.
    func grow(_ layout: BitmapLayout, toByteCount byteCount: UInt64) -> Bool {
        let bytes = layout.accessibleBytes(byteCount: byteCount)
        guard mprotect(header, bytes, PROT_READ | PROT_WRITE) == 0 else { return false }
        header.pointee.byteCount.max(byteCount, ordering: .acquiringAndReleasing)
        return true
    }

    func unmap(_ layout: BitmapLayout) {
        munmap(header, layout.mappedBytes)
    }
}
