/// Tracks nothing, and costs nothing: its marks are gone once compiled.
@frozen
public struct NoBitmap: BitmapSlice, NewBitmap, BitwiseCopyable {
    @inlinable public init() {}
    @inlinable public init(byteCount: UInt64) {}

    @inlinable public func markDirty(offset: UInt64, count: UInt64) {}
    @inlinable public func isDirty(at offset: UInt64) -> Bool { false }
    @inlinable public func slice(at offset: UInt64) -> NoBitmap { self }
    @inlinable public var isTracking: Bool { false }
}
