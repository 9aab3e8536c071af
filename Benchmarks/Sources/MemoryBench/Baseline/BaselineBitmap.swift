import CMemoryBaseline

/// The owner of a bitmap of the baseline's.
final class BaselineBitmap: @unchecked Sendable {
    // SAFETY: all that changes in the bitmap is its words, which are atomic.
    let pointer: OpaquePointer

    init(byteCount: UInt64) {
        pointer = baseline_bitmap_create(byteCount)
    }

    deinit {
        baseline_bitmap_destroy(pointer)
    }
}
