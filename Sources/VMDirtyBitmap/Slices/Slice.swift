extension AtomicBitmap {
    /// A slice that keeps its bitmap alive.
    @frozen
    public struct Slice: BitmapSlice {
        /// The bitmap it is of.
        public let bitmap: AtomicBitmap
        @usableFromInline let borrowed: BorrowedSlice

        @inlinable
        init(_ bitmap: AtomicBitmap, _ borrowed: BorrowedSlice) {
            self.bitmap = bitmap
            self.borrowed = borrowed
        }

        @inlinable
        @inline(__always)
        public func markDirty(offset: UInt64, count: UInt64) {
            defer { withExtendedLifetime(bitmap) {} }
            borrowed.markDirty(offset: offset, count: count)
        }

        @inlinable
        @inline(__always)
        public func isDirty(at offset: UInt64) -> Bool {
            defer { withExtendedLifetime(bitmap) {} }
            return borrowed.isDirty(at: offset)
        }

        @inlinable
        public func slice(at offset: UInt64) -> Slice {
            Slice(bitmap, borrowed.slice(at: offset))
        }

        @inlinable
        public var borrowedSlice: BorrowedSlice? { borrowed }
    }

    /// The pages from `offset` on. Costs a reference count; `borrowedSlice(at:)` costs none.
    @inlinable
    public func slice(at offset: UInt64) -> Slice {
        Slice(self, borrowedSlice(at: offset))
    }
}
