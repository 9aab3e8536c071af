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
    /// A clean bitmap. In one that is mapped, pages that nobody marks get no host memory.
    /// - Parameter byteCount: the length of the memory to be tracked at first.
    /// - Returns: nil with `errno` set where the host would not.
    static func allocate(_ layout: BitmapLayout, byteCount: UInt64) -> BitmapStorage? {
        guard let base = layout.isOnHeap ? zeroedHeap(layout) : mapping(layout, byteCount: byteCount) else {
            return nil
        }
        // SAFETY: the memory is zero, starts at a multiple of 128 and holds the words from `wordsOffset` on. Zeroed memory
        // is a clean `Atomic<UInt64>`, which has the representation of its value.
        let words = (base + layout.wordsOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
        let header = base.bindMemory(to: BitmapHeader.self, capacity: 1)
        header.initialize(to: BitmapHeader(byteCount: byteCount, pageShift: layout.pageShift, words: words))
        return BitmapStorage(header: header)
    }

    private static func zeroedHeap(_ layout: BitmapLayout) -> UnsafeMutableRawPointer? {
        var base: UnsafeMutableRawPointer?
        let result = posix_memalign(&base, summaryOffset, layout.byteCount)
        guard result == 0, let base else {
            errno = result
            return nil
        }
        memset(base, 0, layout.byteCount)
        return base
    }

    /// All of the address space, and access to what is needed of it at first.
    private static func mapping(_ layout: BitmapLayout, byteCount: UInt64) -> UnsafeMutableRawPointer? {
        let accessible = layout.accessibleBytes(byteCount: byteCount)
        let isWhole = accessible == layout.byteCount
        let protection = isWhole ? PROT_READ | PROT_WRITE : PROT_NONE
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = mmap(nil, layout.byteCount, protection, flags, -1, 0), base != MAP_FAILED else { return nil }
        guard isWhole || mprotect(base, accessible, PROT_READ | PROT_WRITE) == 0 else {
            let reason = errno
            munmap(base, layout.byteCount)
            errno = reason
            return nil
        }
        return base
    }

    /// Makes room for `byteCount` bytes, then lets marks reach it. What others see never shrinks, whoever grows at once.
    /// - Returns: false with `errno` set where the host would not.
    func grow(_ layout: BitmapLayout, toByteCount byteCount: UInt64) -> Bool {
        if !layout.isOnHeap {
            let bytes = layout.accessibleBytes(byteCount: byteCount)
            guard mprotect(header, bytes, PROT_READ | PROT_WRITE) == 0 else { return false }
        }
        header.pointee.byteCount.max(byteCount, ordering: .acquiringAndReleasing)
        return true
    }

    func deallocate(_ layout: BitmapLayout) {
        if layout.isOnHeap {
            free(header)
        } else {
            munmap(header, layout.byteCount)
        }
    }
}
