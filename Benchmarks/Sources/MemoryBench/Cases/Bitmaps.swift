import BenchmarkSupport
import CMeasuring
import CMemoryBaseline
import VMDirtyBitmap

/// A bitmap of 16 GiB in pages of 4 KiB, and the baseline's.
final class Bitmaps {
    static let byteCount: UInt64 = 16 << 30
    static let pageCount = byteCount / page
    static let page: UInt64 = 4096

    let ours: AtomicBitmap
    let baseline = BaselineBitmap(byteCount: byteCount)
    /// A word for every word of the bitmaps.
    let words = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: Int(pageCount / 64))

    init() throws {
        ours = try AtomicBitmap(byteCount: Self.byteCount)
        words.initialize(repeating: 0)
        // The memory of both is there from here on.
        let all = baseline_marks(start: 0, stride: 0, mask: 0, length: Self.byteCount)
        guard try dirtyPages(after: all, 1) == Self.pageCount else { throw BenchmarkError("a bitmap has lost marks") }
    }

    deinit {
        words.deallocate()
    }

    /// How many pages so many marks are of, by both.
    func dirtyPages(after marks: baseline_marks, _ count: UInt64) throws -> UInt64 {
        clear()
        setMarks(ours, marks, count)
        baseline_bitmap_mark(baseline.pointer, marks, count)
        let pages = ours.dirtyPageCount()
        guard baseline_bitmap_harvest(baseline.pointer, words.baseAddress) == pages else {
            throw BenchmarkError("the bitmap and its baseline disagree about \(marks)")
        }
        ours.clear()
        return pages
    }

    func clear() {
        ours.clear()
        clearBaseline()
    }

    func clearBaseline() {
        _ = baseline_bitmap_harvest(baseline.pointer, words.baseAddress)
    }
}

/// Marks, as `baseline_bitmap_mark` does.
@inline(never)
func setMarks(_ bitmap: AtomicBitmap, _ marks: baseline_marks, _ count: UInt64) {
    for index in 0..<count {
        bitmap.markDirty(offset: marks.offset(index), count: measuring_opaque(marks.length))
    }
}

extension baseline_marks {
    /// Where the mark of a number goes, unknown to the compiler.
    @inline(__always)
    func offset(_ index: UInt64) -> UInt64 { measuring_opaque(start &+ (index & mask) &* stride) }
}
