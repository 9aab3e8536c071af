import TestSupport
import Testing
import VMDirtyBitmap

@Suite("Against a page-by-page model")
struct ModelTests {
    /// Where words and words of the summary begin and end.
    static let edges: [UInt64] = [0, 1, 62, 63, 64, 65, 127, 128, 4031, 4032, 4095, 4096, 4097, 8191, 8192, 8200]

    @Test("every range between edges is marked, counted, cleared and harvested exactly", arguments: edges)
    func everyRange(lowerBound: UInt64) throws {
        let bitmap = try AtomicBitmap(pages: 8200, pageSize: 512)
        for upperBound in Self.edges where upperBound > lowerBound {
            let pages = lowerBound..<upperBound
            for offset in [0, 1, 511] as [UInt64] {
                bitmap.markDirty(
                    offset: lowerBound * 512 + offset, count: (upperBound - lowerBound - 1) * 512 + 512 - offset)
                #expect(bitmap.runs == [pages])
                #expect(bitmap.dirtyPageCount() == upperBound - lowerBound)
                #expect(bitmap.dirtyPageCount(pages) == upperBound - lowerBound)
                #expect(!bitmap.isAnyDirty(0..<lowerBound) && !bitmap.isAnyDirty(upperBound ..< .max))
                #expect(bitmap.harvestedRuns() == [pages])
            }
            bitmap.markDirty(pages: AtomicBitmap.allPages)
            bitmap.clear(offset: lowerBound * 512, count: (upperBound - lowerBound) * 512)
            #expect(bitmap.harvestedRuns() == [0..<lowerBound, upperBound..<8200].filter { !$0.isEmpty })
        }
    }

    @Test(
        "random operations give what they should", arguments: seeds,
        [(1, 4096), (63, 4096), (64, 1), (65, 2 << 20), (4096, 4096), (4097, 128), (9001, 4096)] as [(UInt64, UInt64)])
    func random(seed: UInt64, shape: (pages: UInt64, pageSize: UInt64)) throws {
        var run = RandomRun(seed: seed, pages: shape.pages, pageSize: shape.pageSize)
        let bitmap = try AtomicBitmap(
            byteCount: run.model.byteCount, pageSize: shape.pageSize, growableTo: run.model.byteCount * 3)
        for _ in 0..<60 { try run.step(bitmap) }
    }
}

/// One operation after another on a bitmap and on its model.
private struct RandomRun {
    var random: SeededGenerator
    var model: PageModel

    init(seed: UInt64, pages: UInt64, pageSize: UInt64) {
        random = SeededGenerator(seed: seed)
        // The last page is there in part, where a page can be.
        model = PageModel(byteCount: pages * pageSize - pageSize / 3, pageSize: pageSize)
    }

    /// Short and long, near an edge and not, at times beyond the end.
    private mutating func pages() -> Range<UInt64> {
        let edge = ModelTests.edges.randomElement(using: &random) ?? 0
        let start = Bool.random(using: &random) ? edge : .random(in: 0...model.pageCount, using: &random)
        let lengths: [UInt64] = [0, 1, 2, 63, 64, 65, 128, 300, 5000, 1 << 40]
        return start..<(start + (lengths.randomElement(using: &random) ?? 0))
    }

    mutating func step(_ bitmap: AtomicBitmap) throws {
        let range = pages()
        let offset = UInt64.random(in: 0...(model.byteCount + model.pageSize), using: &random)
        let count = (range.upperBound - range.lowerBound).multipliedReportingOverflow(by: model.pageSize).partialValue
        switch Int.random(in: 0..<10, using: &random) {
        case 0:
            bitmap.markDirty(offset: offset, count: count)
            model.set(true, offset: offset, count: count)
        case 1:
            bitmap.slice(at: offset / 2).markDirty(offset: offset - offset / 2, count: 1)
            model.set(true, offset: offset, count: 1)
        case 2:
            bitmap.markDirty(pages: range)
            model.set(true, range)
        case 3:
            bitmap.clear(range)
            model.set(false, range)
        case 4:
            bitmap.clear(offset: offset, count: count)
            model.set(false, offset: offset, count: count)
        case 5:
            #expect(bitmap.harvestedRuns(range) == model.runs(range))
            model.set(false, range)
        case 6:
            harvestWords(bitmap, range)
        case 7:
            mergeWords(bitmap, range.lowerBound)
        case 8:
            let byteCount = min(model.byteCount + model.byteCount / 10, bitmap.growthLimit)
            try bitmap.grow(toByteCount: byteCount)
            model.grow(toByteCount: byteCount)
        default:
            #expect(bitmap.isAnyDirty(offset: offset, count: count) == isAnyDirty(offset, count))
            #expect(bitmap.dirtyPageCount(range) == UInt64(model.dirtyPages(range).count))
            #expect(Array(bitmap.dirtyRuns(range)) == model.runs(range))
        }
        #expect(bitmap.pageCount == model.pageCount)
        #expect(bitmap.runs == model.runs())
    }

    private mutating func harvestWords(_ bitmap: AtomicBitmap, _ range: Range<UInt64>) {
        let count = Int.random(in: 0...160, using: &random)
        let taken = range.clamped(to: range.lowerBound..<(range.lowerBound + UInt64(count) * 64))
        #expect(bitmap.harvestedWords(range, count: count) == model.words(taken, count: count))
        model.set(false, taken)
    }

    private mutating func mergeWords(_ bitmap: AtomicBitmap, _ page: UInt64) {
        let words = (0..<Int.random(in: 0...80, using: &random)).map { _ in
            random.next() & random.next() & (Bool.random(using: &random) ? 0 : .max)
        }
        bitmap.merge(words: words.span, atPage: page)
        for (index, word) in words.enumerated() {
            for bit in 0..<64 as Range<UInt64> where word >> bit & 1 != 0 {
                let at = page + UInt64(index) * 64 + bit
                model.set(true, at..<(at + 1))
            }
        }
    }

    private func isAnyDirty(_ offset: UInt64, _ count: UInt64) -> Bool {
        var touched = PageModel(byteCount: model.byteCount, pageSize: model.pageSize)
        touched.set(true, offset: offset, count: count)
        return zip(touched.pages, model.pages).contains { $0 && $1 }
    }
}
