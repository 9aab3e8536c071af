import BenchmarkSupport
import CMemoryBaseline
import VMDirtyBitmap

extension MemoryCase {
    /// Taking all marks of 16 GiB, into a buffer of words and as runs of pages.
    static func harvests() throws -> [MemoryCase] {
        let harvest = Harvest(bitmaps: try Bitmaps())
        var random = Xorshift(seed: 77)
        let few = Int(Bitmaps.pageCount / 100)
        let randomly = (0..<few).map { _ in random.next() % Bitmaps.pageCount * Bitmaps.page }
        let contiguously = baseline_marks(
            start: 12345 * Bitmaps.page, stride: 0, mask: 0, length: UInt64(few) * Bitmaps.page)
        let all = baseline_marks(start: 0, stride: 0, mask: 0, length: Bitmaps.byteCount)
        let name = "bitmap.harvest.16GiB."
        return [
            harvest.clean(name + "clean", .timesFasterThanPeer(300)),
            harvest.cleanRuns(name + "clean"),
            harvest.words(name + "1pct-random", .each(randomly), .timesFasterThanPeer(1.5)),
            harvest.runs(name + "1pct-random", .each(randomly)),
            harvest.words(name + "1pct-contiguous", .span(contiguously), .timesFasterThanPeer(40)),
            harvest.runs(name + "1pct-contiguous", .span(contiguously)),
            harvest.words(name + "full", .span(all), .timesFasterThanPeer(1)),
            harvest.runs(name + "full", .span(all)),
        ]
    }
}

/// The cases of one pair of bitmaps.
private struct Harvest {
    let bitmaps: Bitmaps
    let runs = RunBuffers()

    private static let samples = 201

    /// What is marked before a harvest.
    enum Dirty {
        case span(baseline_marks)
        case each([UInt64])

        func mark(_ bitmap: AtomicBitmap) {
            switch self {
            case .span(let marks): setMarks(bitmap, marks, 1)
            case .each(let offsets): for offset in offsets { bitmap.markDirty(offset: offset, count: 1) }
            }
        }

        func mark(_ bitmap: BaselineBitmap) {
            switch self {
            case .span(let marks): baseline_bitmap_mark(bitmap.pointer, marks, 1)
            case .each(let offsets): baseline_bitmap_mark_each(bitmap.pointer, offsets, offsets.count)
            }
        }

        var pageCount: UInt64 {
            switch self {
            case .span(let marks): marks.length / Bitmaps.page
            case .each(let offsets): UInt64(Set(offsets).count)
            }
        }
    }

    /// The words are zeroed beforehand, as by whoever has dealt with what was in them: ours are ORed into.
    func words(_ name: String, _ dirty: Dirty, _ goal: Goal) -> MemoryCase {
        let (ours, baseline, words) = (bitmaps.ours, bitmaps.baseline, bitmaps.words)
        let expected = dirty.pageCount
        return MemoryCase(name, goal: goal) {
            bitmaps.clear()
            return try PreparedRuns.compare(
                samples: Self.samples,
                ours: PreparedRun(
                    prepare: {
                        words.update(repeating: 0)
                        dirty.mark(ours)
                    },
                    run: {
                        var span = words.mutableSpan
                        try require(expected, ours.harvest(into: &span))
                    }),
                baseline: PreparedRun(
                    prepare: {
                        words.update(repeating: 0)
                        dirty.mark(baseline)
                    },
                    run: { try require(expected, baseline_bitmap_harvest(baseline.pointer, words.baseAddress)) }))
        }
    }

    func runs(_ name: String, _ dirty: Dirty) -> MemoryCase {
        let (ours, baseline, runs) = (bitmaps.ours, bitmaps.baseline, runs)
        let expected = dirty.pageCount
        return MemoryCase(name + ".runs", peerName: name) {
            bitmaps.clear()
            return try PreparedRuns.compare(
                samples: Self.samples,
                ours: PreparedRun(
                    prepare: {
                        runs.ours.removeAll(keepingCapacity: true)
                        dirty.mark(ours)
                    },
                    run: { try require(expected, ours.harvest(into: &runs.ours)) }),
                baseline: PreparedRun(
                    prepare: { dirty.mark(baseline) },
                    run: {
                        let count = baseline_bitmap_harvest_runs(
                            baseline.pointer, runs.baseline.baseAddress, runs.baseline.count)
                        guard count == runs.ours.count else { throw BenchmarkError("other runs than the baseline's") }
                    }))
        }
    }

    func clean(_ name: String, _ goal: Goal) -> MemoryCase {
        let (ours, baseline, words) = (bitmaps.ours, bitmaps.baseline, bitmaps.words)
        return MemoryCase(name, goal: goal) {
            bitmaps.clear()
            return try Batches.compare(
                ours: { count in
                    var span = words.mutableSpan
                    for _ in 0..<count { try require(0, ours.harvest(into: &span)) }
                },
                baseline: { count in
                    for _ in 0..<count { try require(0, baseline_bitmap_harvest(baseline.pointer, words.baseAddress)) }
                })
        }
    }

    func cleanRuns(_ name: String) -> MemoryCase {
        let (ours, baseline, runs) = (bitmaps.ours, bitmaps.baseline, runs)
        return MemoryCase(name + ".runs", peerName: name) {
            bitmaps.clear()
            return try Batches.compare(
                ours: { count in for _ in 0..<count { try require(0, ours.harvest(into: &runs.ours)) } },
                baseline: { count in
                    for _ in 0..<count {
                        let found = baseline_bitmap_harvest_runs(
                            baseline.pointer, runs.baseline.baseAddress, runs.baseline.count)
                        try require(0, UInt64(found))
                    }
                })
        }
    }
}

/// Where runs go to.
private final class RunBuffers {
    var ours: [Range<UInt64>] = []
    let baseline = UnsafeMutableBufferPointer<baseline_run>.allocate(capacity: 1 << 16)

    init() {
        ours.reserveCapacity(baseline.count)
        baseline.initialize(repeating: baseline_run())
    }

    deinit {
        baseline.deallocate()
    }
}

private func require(_ expected: UInt64, _ pages: UInt64) throws {
    guard pages == expected else { throw BenchmarkError("a harvest took \(pages) pages instead of \(expected)") }
}
