import SystemPackage
import Testing
import VMDirtyBitmap

@Suite("A bitmap of pages")
struct AtomicBitmapTests {
    @Test(
        "has a page for every byte",
        arguments: [
            (0, 128, 0), (1, 128, 1), (128, 128, 1), (1024, 128, 8), (1025, 128, 9), (1 << 34, 4096, 1 << 22),
            ((1 << 34) + 1, 2 << 20, (1 << 13) + 1), (.max, 1 << 40, 1 << 24), (.max, 1 << 63, 2), (100, 1, 100),
        ] as [(UInt64, UInt64, UInt64)])
    func size(byteCount: UInt64, pageSize: UInt64, pageCount: UInt64) throws {
        let bitmap = try AtomicBitmap(byteCount: byteCount, pageSize: pageSize)
        #expect(bitmap.byteCount == byteCount)
        #expect(bitmap.pageSize == pageSize)
        #expect(bitmap.pageCount == pageCount)
        bitmap.markDirty(offset: 0, count: .max)
        #expect(bitmap.dirtyPageCount() == pageCount)
    }

    @Test("marks, clears, copies and harvests ranges of bytes")
    func ranges() throws {
        let bitmap = try AtomicBitmap(byteCount: 1024, pageSize: 128)
        bitmap.markDirty(offset: 128, count: 129)
        #expect(bitmap.runs == [1..<3])
        #expect(
            !bitmap.isDirty(at: 127) && bitmap.isDirty(at: 128) && bitmap.isDirty(at: 383) && !bitmap.isDirty(at: 384))

        let copy = try bitmap.copy()
        bitmap.clear(offset: 128, count: 129)
        #expect(bitmap.runs.isEmpty)
        #expect(copy.runs == [1..<3])
        #expect((copy.byteCount, copy.pageSize) == (1024, 128))

        #expect(copy.harvestedWords(count: 1) == [0b110])
        #expect(copy.runs.isEmpty)
    }

    @Test("ends where its memory does")
    func outOfRange() throws {
        let bitmap = try AtomicBitmap(byteCount: 1024, pageSize: 128)
        bitmap.markDirty(offset: 768, count: 512)
        #expect(bitmap.runs == [6..<8])
        #expect(!bitmap.isDirty(at: 1024) && !bitmap.isDirty(at: 1152) && !bitmap.isDirty(at: .max))
        #expect(!bitmap.isDirty(page: 8) && !bitmap.isDirty(page: .max))
        #expect(!bitmap.isAnyDirty(8 ..< .max) && bitmap.isAnyDirty(7 ..< .max))
        #expect(!bitmap.isAnyDirty(offset: 1024, count: .max) && bitmap.isAnyDirty(offset: 1023, count: .max))
        bitmap.markDirty(page: 8)
        bitmap.markDirty(page: .max)
        bitmap.markDirty(pages: 8 ..< .max)
        bitmap.clear(page: 8)
        bitmap.clear(page: .max)
        bitmap.clear(8 ..< .max)
        bitmap.clear(offset: 1024, count: .max)
        #expect(bitmap.runs == [6..<8])
        #expect(bitmap.harvestedRuns(8 ..< .max) == [])
    }

    @Test("of which the last page is there in part, ends with its last byte")
    func partialPage() throws {
        let bitmap = try AtomicBitmap(byteCount: 1025, pageSize: 128)
        bitmap.markDirty(offset: 1025, count: 1)
        #expect(bitmap.runs.isEmpty)
        bitmap.markDirty(offset: 1024, count: 5)
        #expect(bitmap.runs == [8..<9])
        #expect(bitmap.isDirty(at: 1024) && !bitmap.isDirty(at: 1025))
    }

    @Test("is marked, looked at and cleared by page")
    func pages() throws {
        let bitmap = try AtomicBitmap(pages: 200)
        bitmap.markDirty(page: 63)
        bitmap.markDirty(pages: 100..<102)
        bitmap.markDirty(pages: 150..<150)
        #expect(bitmap.runs == [63..<64, 100..<102])
        #expect(bitmap.isDirty(page: 63) && bitmap.isDirty(at: 63 * 4096) && !bitmap.isDirty(page: 64))
        #expect(bitmap.dirtyPageCount() == 3 && bitmap.dirtyPageCount(64..<101) == 1)
        bitmap.clear(page: 100)
        #expect(bitmap.runs == [63..<64, 101..<102])
        bitmap.clear(0..<101)
        #expect(bitmap.runs == [101..<102])
        bitmap.clear()
        #expect(bitmap.runs.isEmpty && !bitmap.isAnyDirty())
    }

    @Test("with one bit for 2 MiB, marks all of the 2 MiB")
    func largePages() throws {
        let bitmap = try AtomicBitmap(byteCount: 1 << 30, pageSize: 2 << 20)
        bitmap.markDirty(offset: (2 << 20) * 5 + 12345, count: 8)
        #expect(bitmap.runs == [5..<6])
        #expect(bitmap.isDirty(at: (2 << 20) * 6 - 1))
    }

    @Test("refuses page sizes that are no power of two", arguments: [0, 3, 4095, 4097, .max] as [UInt64])
    func badPageSize(size: UInt64) {
        #expect(throws: BitmapError.invalidPageSize(size)) { try AtomicBitmap(byteCount: 4096, pageSize: size) }
    }

    @Test("that the host has no room for is an error", arguments: [1, 4096] as [UInt64])
    func noMemory(pageSize: UInt64) {
        let error = #expect(throws: BitmapError.self) { try AtomicBitmap(byteCount: .max, pageSize: pageSize) }
        #expect(error == .noMemory(byteCount: .max, errno: .noMemory))
        #expect(error.map { "\($0)" } == "cannot get memory for a dirty bitmap of \(UInt64.max) bytes: ENOMEM")
    }

    @Test("says what it could not do")
    func messages() {
        #expect("\(BitmapError.invalidPageSize(3))".contains("3-byte pages"))
        let beyond = BitmapError.beyondReserve(byteCount: 10, reserve: 5)
        #expect("\(beyond)" == "cannot track 10 bytes: the dirty bitmap was made to grow to 5 at most")
    }

    @Test("of 64 TiB costs nothing until it is marked")
    func sparse() throws {
        let bitmap = try AtomicBitmap(byteCount: 1 << 46)
        let last = bitmap.pageCount - 1
        bitmap.markDirty(page: last)
        #expect(bitmap.harvestedRuns() == [last..<(last + 1)])
    }
}
