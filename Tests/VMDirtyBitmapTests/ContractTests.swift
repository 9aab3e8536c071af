import Testing
import VMDirtyBitmap

@Suite("Every bitmap")
struct ContractTests {
    /// A way to get a bitmap, and the bitmap behind it, which what is borrowed needs alive.
    struct Implementation: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var tracks = true
        var length: UInt64 = 16 * 4096
        var pageSize: UInt64 = 4096
        let make: @Sendable (AtomicBitmap) -> any Bitmap
    }

    static let implementations: [Implementation] = [
        .init(testDescription: "none", tracks: false) { _ in NoBitmap() },
        .init(testDescription: "none, made for a length", tracks: false) { _ in NoBitmap(byteCount: 1 << 40) },
        .init(testDescription: "an optional none", tracks: false) { _ in NoBitmap?.some(NoBitmap()) },
        .init(testDescription: "nil", tracks: false) { _ in AtomicBitmap?.none },
        .init(testDescription: "nil of a slice", tracks: false) { _ in AtomicBitmap.Slice?.none },
        .init(testDescription: "atomic") { $0 },
        .init(testDescription: "optional atomic") { AtomicBitmap?.some($0) },
        .init(testDescription: "slice") { $0.slice(at: 0) },
        .init(testDescription: "slice from the third page", length: 14 * 4096) { $0.slice(at: 2 * 4096) },
        .init(testDescription: "slice of a slice", length: 13 * 4096) { $0.slice(at: 2 * 4096).slice(at: 4096) },
        .init(testDescription: "optional slice") { AtomicBitmap.Slice?.some($0.slice(at: 0)) },
        .init(testDescription: "slice of an optional") { AtomicBitmap?.some($0).slice(at: 0) },
        .init(testDescription: "borrowed slice") { $0.borrowedSlice(at: 0) },
        .init(testDescription: "borrowed slice of a borrowed slice", length: 13 * 4096) {
            $0.borrowedSlice(at: 4096).slice(at: 2 * 4096)
        },
        .init(testDescription: "optional borrowed slice") { $0.borrowedSlice },
        .init(testDescription: "pages of 128 bytes", length: 0x800, pageSize: 128) { $0 },
        .init(testDescription: "slice, pages of 128 bytes", length: 0x700, pageSize: 128) { $0.slice(at: 0x100) },
    ]

    @Test("keeps the contract", arguments: implementations)
    func contract(_ implementation: Implementation) throws {
        let pages: UInt64 = 16
        let bitmap = try AtomicBitmap(pages: pages, pageSize: implementation.pageSize)
        func check(_ subject: some Bitmap) {
            BitmapContract(
                subject: subject, length: implementation.length, pageSize: implementation.pageSize,
                tracks: implementation.tracks
            ).check()
        }
        check(implementation.make(bitmap))
        withExtendedLifetime(bitmap) {}
    }

    @Test("of one that can be made for a length alone, starts clean and covers it")
    func newBitmap() throws {
        func check<New: NewBitmap>(_: New.Type, tracks: Bool) throws {
            BitmapContract(
                subject: try New(byteCount: 16 * 4096), length: 16 * 4096, pageSize: 4096, tracks: tracks
            ).check()
        }
        try check(NoBitmap.self, tracks: false)
        try check(AtomicBitmap.self, tracks: true)
    }

    @Test("that does nothing takes no room")
    func size() {
        #expect(MemoryLayout<NoBitmap>.size == 0)
        #expect(MemoryLayout<AtomicBitmap.BorrowedSlice>.size == 16)
    }

    @Test("A slice keeps its bitmap alive")
    func ownership() throws {
        weak var bitmap: AtomicBitmap?
        var slice: AtomicBitmap.Slice?
        do {
            let made = try AtomicBitmap(pages: 4)
            bitmap = made
            slice = made.slice(at: 4096).slice(at: 0)
        }
        #expect(bitmap != nil)
        slice?.markDirty(offset: 0, count: 1)
        #expect(bitmap?.isDirty(page: 1) == true)
        slice = nil
        #expect(bitmap == nil)
    }
}
