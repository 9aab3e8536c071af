import Testing
import VMDirtyBitmap

@Suite("Growth")
struct GrowthTests {
    @Test("keeps what is marked and adds clean pages")
    func grow() throws {
        let bitmap = try AtomicBitmap(byteCount: 8 * 1024, pageSize: 128, growableTo: 1 << 30)
        #expect(bitmap.pageCount == 64 && bitmap.growthLimit == 1 << 30)
        bitmap.markDirty(offset: 128, count: 129)
        bitmap.markDirty(offset: 8 * 1024, count: .max)
        try bitmap.grow(toByteCount: 16 * 1024)
        #expect(bitmap.pageCount == 128 && bitmap.byteCount == 16 * 1024)
        #expect(bitmap.runs == [1..<3])
        try bitmap.grow(toByteCount: 1 << 30)
        #expect(bitmap.runs == [1..<3])
        bitmap.markDirty(offset: 0, count: .max)
        #expect(bitmap.runs == [0..<(1 << 23)])
    }

    @Test("is seen through slices made before")
    func slices() throws {
        let bitmap = try AtomicBitmap(pages: 2, growableTo: 100)
        let owning = bitmap.slice(at: 4096)
        let borrowed = bitmap.borrowedSlice(at: 4096)
        let beyond = bitmap.slice(at: 50 * 4096)
        owning.markDirty(offset: 4096, count: 1)
        #expect(bitmap.runs.isEmpty)
        try bitmap.grow(toByteCount: 100 * 4096)
        owning.markDirty(offset: 4096, count: 1)
        borrowed.markDirty(offset: 2 * 4096, count: 1)
        beyond.markDirty(offset: 0, count: 1)
        #expect(bitmap.runs == [2..<4, 50..<51])
    }

    @Test("never shrinks")
    func shrink() throws {
        let bitmap = try AtomicBitmap(pages: 10, growableTo: 20)
        bitmap.markDirty(page: 9)
        for pages in [0, 1, 10] as [UInt64] { try bitmap.grow(toByteCount: pages * 4096) }
        #expect(bitmap.pageCount == 10 && bitmap.runs == [9..<10])
    }

    @Test("beyond what was reserved is refused and changes nothing")
    func beyondReserve() throws {
        let bitmap = try AtomicBitmap(pages: 10, growableTo: 20)
        for byteCount in [20 * 4096 + 1, .max] as [UInt64] {
            #expect(throws: BitmapError.beyondReserve(byteCount: byteCount, reserve: 20 * 4096)) {
                try bitmap.grow(toByteCount: byteCount)
            }
        }
        let fixed = try AtomicBitmap(pages: 10)
        #expect(throws: BitmapError.beyondReserve(byteCount: 40961, reserve: 40960)) {
            try fixed.grow(toByteCount: 40961)
        }
        #expect(throws: BitmapError.beyondReserve(byteCount: 2, reserve: 1)) {
            try AtomicBitmap(byteCount: 2, pageSize: 4096, growableTo: 1)
        }
        #expect(bitmap.pageCount == 10)
    }

    @Test("from nothing, of a bitmap and of its copy")
    func fromNothing() throws {
        let bitmap = try AtomicBitmap(byteCount: 0, pageSize: 4096, growableTo: 1 << 32)
        bitmap.markDirty(offset: 0, count: 1)
        #expect(bitmap.pageCount == 0 && bitmap.runs.isEmpty)
        let copy = try bitmap.copy()
        try copy.grow(toByteCount: 1 << 32)
        copy.markDirty(offset: 0, count: 1)
        #expect(copy.runs == [0..<1] && bitmap.pageCount == 0)
    }
}
