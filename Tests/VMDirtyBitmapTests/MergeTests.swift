import Testing
import VMDirtyBitmap

@Suite("Merging")
struct MergeTests {
    @Test("another bitmap adds its pages and leaves it as it is")
    func bitmaps() throws {
        let bitmap = try AtomicBitmap(pages: 5000)
        let other = try AtomicBitmap(pages: 9000)
        bitmap.markDirty(pages: 0..<10)
        other.markDirty(pages: 5..<200)
        other.markDirty(pages: 4990..<9000)
        bitmap.merge(other)
        #expect(bitmap.runs == [0..<200, 4990..<5000], "cut off at the end")
        #expect(other.runs == [5..<200, 4990..<9000])
        #expect(bitmap.harvestedRuns() == [0..<200, 4990..<5000])
        other.merge(other)
        #expect(other.runs == [5..<200, 4990..<9000])
    }

    @Test("pages of another size marks what has a byte in common")
    func sizes() throws {
        let small = try AtomicBitmap(byteCount: 8 << 20, pageSize: 4096)
        let large = try AtomicBitmap(byteCount: 8 << 20, pageSize: 2 << 20)
        small.markDirty(page: 511)
        small.markDirty(page: 1024)
        large.merge(small)
        #expect(large.runs == [0..<1, 2..<3])
        small.merge(large)
        #expect(small.runs == [0..<512, 1024..<1536])
        let whole = try AtomicBitmap(byteCount: .max, pageSize: 1 << 63)
        whole.markDirty(offset: 0, count: .max)
        small.merge(whole)
        #expect(small.runs == [0..<2048])
        whole.clear()
        whole.markDirty(page: 1)
        small.clear()
        small.merge(whole)
        #expect(small.runs.isEmpty)
    }

    @Test(
        "raw words puts bit 0 at the page given", arguments: [0, 1, 31, 63, 64, 65, 127, 4032, 4095, 4097] as [UInt64])
    func words(page: UInt64) throws {
        let bitmap = try AtomicBitmap(pages: 4300)
        let words: [UInt64] = [1, 0, 1 << 63 | 1, .max, 0xf0]
        var model = PageModel(byteCount: 4300, pageSize: 1)
        for (index, word) in words.enumerated() {
            for bit in 0..<64 as Range<UInt64> where word >> bit & 1 != 0 {
                let at = page + UInt64(index) * 64 + bit
                model.set(true, at..<(at + 1))
            }
        }
        bitmap.merge(words: words.span, atPage: page)
        #expect(bitmap.runs == model.runs())
        #expect(bitmap.harvestedRuns() == model.runs())
    }

    @Test("some bits of raw words puts the first of them at the offset in the slice, whatever stands around them")
    func bits() throws {
        let words: [UInt64] = [.max, 0x1234_5678_9abc_def0, .max, 1]
        for first in [0, 1, 63, 64, 70, 191] as [UInt64] {
            for end in [first, first + 1, 64, 128, 130, 192, 256, 1000] as [UInt64] where end >= first {
                for page in [0, 1, 63, 64, 100, 4290] as [UInt64] {
                    let bitmap = try AtomicBitmap(pages: 4300)
                    bitmap.borrowedSlice(at: 5 * 4096).merge(words: words.span, bits: first..<end, at: page * 4096)
                    var model = PageModel(byteCount: 4300, pageSize: 1)
                    for bit in first..<min(end, 256) where words[Int(bit / 64)] >> (bit % 64) & 1 != 0 {
                        let at = 5 + page + bit - first
                        model.set(true, at..<(at + 1))
                    }
                    #expect(bitmap.runs == model.runs(), "bits \(first)..<\(end) at page \(page)")
                }
            }
        }
    }

    @Test(
        "raw words beyond the end marks nothing there", arguments: [4299, 4300, 1 << 63, .max - 64, .max] as [UInt64])
    func wordsBeyond(page: UInt64) throws {
        let bitmap = try AtomicBitmap(pages: 4300, growableTo: 9000)
        bitmap.merge(words: [UInt64](repeating: .max, count: 10).span, atPage: page)
        #expect(bitmap.runs == (page == 4299 ? [4299..<4300] : []))
        try bitmap.grow(toByteCount: 9000 * 4096)
        #expect(bitmap.dirtyPageCount() == (page == 4299 ? 1 : 0), "nor once there is something")
    }
}
