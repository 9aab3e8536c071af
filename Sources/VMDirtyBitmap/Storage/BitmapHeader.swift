import Synchronization

/// What every slice of a bitmap shares, at the start of its mapping.
@frozen
@usableFromInline
struct BitmapHeader: ~Copyable {
    /// The length of the tracked memory. Only grows.
    @usableFromInline let byteCount: Atomic<UInt64>
    /// The base-2 logarithm of the page size.
    @usableFromInline let pageShift: UInt64
    /// One bit for each page. Bits beyond the last page are never set.
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>

    init(byteCount: UInt64, pageShift: UInt64, words: UnsafeMutablePointer<Atomic<UInt64>>) {
        self.byteCount = Atomic(byteCount)
        self.pageShift = pageShift
        self.words = words
    }
}
