/// Which pages of a piece of memory were written.
///
/// Offsets and counts are bytes from the start of that memory; how many bytes a page has is the bitmap's own affair.
/// Whoever writes to tracked memory says so afterwards: **write, then mark**. Reads never mark, and neither does a
/// store through a raw pointer: its owner must. What may then be concluded from a mark, and why, is told on
/// `AtomicBitmap`.
///
/// Every implementation holds to this:
/// - a mark or a query of no bytes does nothing; `offset + count` beyond 2^64 ends at the end;
/// - marks out of range are ignored, queries out of range answer clean;
/// - a slice shows the same pages, so a mark through either is seen through both.
///
/// Threads: any, at any time.
public protocol Bitmap: Sendable {
    /// What `slice(at:)` gives.
    associatedtype Slice: BitmapSlice

    /// Marks every page that has one of the `count` bytes at `offset`.
    func markDirty(offset: UInt64, count: UInt64)

    /// Whether the page of the byte at `offset` is marked.
    func isDirty(at offset: UInt64) -> Bool

    /// The same pages, with offsets counted from `offset`. Beyond the end the slice is empty.
    func slice(at offset: UInt64) -> Slice

    /// Whether marks are kept. False means that a mark has no effect, now and later, and may be left out.
    var isTracking: Bool { get }

    /// The slice over the whole of this bitmap by which a user who has forgotten its type can mark without a dynamic
    /// call, or nil where it has none. Valid as long as the `AtomicBitmap` behind it lives.
    var borrowedSlice: AtomicBitmap.BorrowedSlice? { get }
}

extension Bitmap {
    @inlinable public var isTracking: Bool { true }
    @inlinable public var borrowedSlice: AtomicBitmap.BorrowedSlice? { nil }
}

/// A bitmap whose slices are of its own type, so that slicing can go on without the type growing.
public protocol BitmapSlice: Bitmap where Slice == Self {}

/// A bitmap that can be made for a piece of memory whose length alone is known.
public protocol NewBitmap: Bitmap {
    /// All clean.
    /// - Parameter byteCount: the length of the memory.
    /// - Throws: `BitmapError.noMemory` where the host cannot give the bitmap's own memory.
    init(byteCount: UInt64) throws(BitmapError)
}
