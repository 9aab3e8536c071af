/// Tracking that is decided at run time: nil tracks nothing.
extension Optional: Bitmap where Wrapped: Bitmap {
    @inlinable
    public func markDirty(offset: UInt64, count: UInt64) {
        if let self { self.markDirty(offset: offset, count: count) }
    }

    @inlinable
    public func isDirty(at offset: UInt64) -> Bool {
        if let self { self.isDirty(at: offset) } else { false }
    }

    @inlinable
    public func slice(at offset: UInt64) -> Wrapped.Slice? {
        if let self { self.slice(at: offset) } else { nil }
    }

    @inlinable
    public var isTracking: Bool {
        if let self { self.isTracking } else { false }
    }

    @inlinable
    public var borrowedSlice: AtomicBitmap.BorrowedSlice? {
        if let self { self.borrowedSlice } else { nil }
    }
}

extension Optional: BitmapSlice where Wrapped: BitmapSlice {}
