import BenchmarkSupport
import CMeasuring
import CMemoryBaseline
import VMDirtyBitmap

extension MemoryCase {
    /// Marking pages that were clean, and pages that were dirty before, and testing them.
    static func marks() throws -> [MemoryCase] {
        let bitmaps = try Bitmaps()
        let page = Bitmaps.page
        let rotating = baseline_marks(start: 0, stride: page, mask: 4095, length: 8)
        let same = baseline_marks(start: 5 * page, stride: 0, mask: 0, length: 8)
        let spans = baseline_marks(start: 0, stride: 64 * page, mask: 63, length: 64 * page)
        let gigabyte = baseline_marks(start: 1 << 30, stride: 0, mask: 0, length: 1 << 30)
        // Through all of the bitmap where 64 spans would be too few to time.
        let cleanSpans = baseline_marks(start: 0, stride: 64 * page, mask: .max, length: 64 * page)
        let cleanGigabytes = baseline_marks(start: 0, stride: 1 << 30, mask: .max, length: 1 << 30)
        return try [
            dirty("bitmap.mark.1page.rotating", bitmaps, rotating, .timesPeer(1)),
            dirty("bitmap.mark.1page.same", bitmaps, same, .timesPeer(1)),
            clean("bitmap.mark.1page", of: ".rotating", bitmaps, rotating, 4096, .timesPeer(1)),
            dirty("bitmap.mark.64pages", bitmaps, spans, .timesFasterThanPeer(40)),
            clean("bitmap.mark.64pages", bitmaps, cleanSpans, 65_536, .timesFasterThanPeer(40)),
            dirty("bitmap.mark.1GiB", bitmaps, gigabyte, .timesFasterThanPeer(60)),
            clean("bitmap.mark.1GiB", bitmaps, cleanGigabytes, 16, .timesFasterThanPeer(60)),
            twoThreads(bitmaps),
            test(bitmaps),
        ]
    }

    /// After the first batch every mark meets a dirty page.
    private static func dirty(
        _ name: String, _ bitmaps: Bitmaps, _ marks: baseline_marks, _ goal: Goal
    ) -> MemoryCase {
        MemoryCase(name, goal: goal) {
            try Batches.compare(
                ours: { setMarks(bitmaps.ours, marks, $0) },
                baseline: { baseline_bitmap_mark(bitmaps.baseline.pointer, marks, $0) })
        }
    }

    /// Every mark meets clean pages: what is timed is `count` marks that follow one another, after clearing.
    /// - Parameter variant: what else the peer's name has.
    private static func clean(
        _ name: String, of variant: String = "", _ bitmaps: Bitmaps, _ marks: baseline_marks, _ count: UInt64,
        _ goal: Goal
    ) throws -> MemoryCase {
        let pages = marks.length / Bitmaps.page + (marks.length % Bitmaps.page == 0 ? 0 : 1)
        guard try bitmaps.dirtyPages(after: marks, count) == count * pages else {
            throw BenchmarkError("the marks of \(name).clean do not all meet clean pages")
        }
        return MemoryCase(name + ".clean", peerName: name + variant, goal: goal) {
            try PreparedRuns.compareBatches(
                operations: Int(count),
                ours: PreparedRun(prepare: { bitmaps.ours.clear() }, run: { setMarks(bitmaps.ours, marks, count) }),
                baseline: PreparedRun(
                    prepare: bitmaps.clearBaseline,
                    run: { baseline_bitmap_mark(bitmaps.baseline.pointer, marks, count) }))
        }
    }

    private static func twoThreads(_ bitmaps: Bitmaps) -> MemoryCase {
        let (ours, baseline) = (bitmaps.ours, bitmaps.baseline)
        let page = Bitmaps.page
        return MemoryCase("bitmap.mark.2threads.samepage", goal: .timesFasterThanPeer(3)) {
            try PinnedThreads.compare(
                threads: 2, count: 500_000,
                ours: { setMarks(ours, baseline_marks(start: page, stride: 0, mask: 0, length: 8), $0) },
                baseline: {
                    let marks = baseline_marks(start: page, stride: 0, mask: 0, length: 8)
                    baseline_bitmap_mark(baseline.pointer, marks, $0)
                })
        }
    }

    private static func test(_ bitmaps: Bitmaps) -> MemoryCase {
        let pages = baseline_marks(start: 0, stride: Bitmaps.page, mask: 0xffff, length: 0)
        return MemoryCase("bitmap.test") {
            try Batches.compare(
                ours: { count in
                    for index in 0..<count {
                        measuring_consume(bitmaps.ours.isDirty(at: pages.offset(index)) ? 1 : 0)
                    }
                },
                baseline: { baseline_bitmap_test(bitmaps.baseline.pointer, pages, $0) })
        }
    }
}
