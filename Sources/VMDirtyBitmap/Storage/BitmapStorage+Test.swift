import Synchronization

extension BitmapStorage {
    /// Whether the page of the byte at `offset` is marked.
    @inlinable
    @inline(__always)
    func isDirty(at offset: UInt64) -> Bool {
        offset < byteCount && isDirty(page: offset &>> pageShift)
    }

    /// Whether a page that there is, is marked.
    @inlinable
    @inline(__always)
    func isDirty(page: UInt64) -> Bool {
        let word = words[Int(truncatingIfNeeded: page &>> 6)].load(ordering: .acquiring)
        return word & (1 &<< (page & 63)) != 0
    }
}
