import Testing
import VMAddressSpace
import VMMemory

@Suite("Lists of pages")
struct PagedRangeTests {
    @Test("A list holds what fits into its pages behind the offset, and no more")
    func fitting() {
        #expect(PagedRange(frames: [], count: 0) != nil)
        #expect(PagedRange(frames: [], count: 1) == nil)
        #expect(PagedRange(frames: [], offset: 1, count: 0) == nil)
        #expect(PagedRange(frames: [7], offset: 4095, count: 1) != nil)
        #expect(PagedRange(frames: [7], offset: 4095, count: 2) == nil)
        #expect(PagedRange(frames: [7, 9], offset: 4096, count: 1) == nil)
        #expect(PagedRange(frames: [7, 9], offset: 4095, count: 4097) != nil)
        #expect(PagedRange(frames: [7], offset: 1, count: .max) == nil)
        #expect(PagedRange(frames: [7], offset: .max, count: 1) == nil)
    }

    @Test("Frames past 2^64 are no list")
    func lastFrame() {
        #expect(PagedRange(frames: [(1 << 52) - 1], count: 4096) != nil)
        #expect(PagedRange(frames: [1 << 52], count: 4096) == nil)
        #expect(PagedRange(frames: [0, .max], count: 1) == nil)
    }

    private func makeCalls() throws -> (memory: GuestMemory, calls: AccessCalls) {
        let calls = AccessCalls(pages: 16)
        return (try AccessMemory.make([AccessMemory.region(0x1_0000, calls)]), calls)
    }

    @Test("Frames that follow one another are one access")
    func merging() throws {
        let (memory, calls) = try makeCalls()
        let pages = try #require(
            PagedRange(frames: [0x13, 0x14, 0x15, 0x11, 0x12, 0x10], offset: 0x100, count: 0x5200))
        _ = try memory.read(pages)
        #expect(
            calls.calls == [
                .read(offset: 0x3100, count: 0x2f00), .read(offset: 0x1000, count: 0x2000),
                .read(offset: 0, count: 0x300),
            ])
    }

    @Test("Bytes are gathered and scattered in the order of the list")
    func order() throws {
        let memory = try AccessMemory.make(at: 0x1_0000, pages: 16)
        let pages = try #require(PagedRange(frames: [0x12, 0x10, 0x1f], offset: 0xffe, count: 0x1005))
        let bytes = AccessMemory.pattern(0x1005)
        try memory.write(bytes, to: pages)
        #expect(try memory.read(pages) == bytes)
        #expect(try memory.read(GuestAddress(0x1_2ffe), count: 2) == Array(bytes[..<2]))
        #expect(try memory.read(GuestAddress(0x1_0000), count: 0x1000) == Array(bytes[2..<0x1002]))
        #expect(try memory.read(GuestAddress(0x1_f000), count: 4) == Array(bytes[0x1002...]) + [0])
        try memory.fill(pages, with: 9)
        #expect(try memory.read(pages).allSatisfy { $0 == 9 })
        #expect(try memory.read(GuestAddress(0x1_f000), count: 4) == [9, 9, 9, 0])
        #expect(try memory.load(GuestAddress(0x1_2ffd)) as UInt8 == 0)
    }

    @Test("A frame that stands in a list twice is accessed twice, in order")
    func repeated() throws {
        let memory = try AccessMemory.make(pages: 4)
        let pages = try #require(PagedRange(frames: [2, 2, 3, 2], count: 0x4000))
        let bytes = (0..<4).flatMap { [UInt8](repeating: $0 + 1, count: 0x1000) }
        try memory.write(bytes, to: pages)
        #expect(try memory.read(pages).map { $0 } == [4, 4, 3, 4].flatMap { [UInt8](repeating: $0, count: 0x1000) })
    }

    @Test("A buffer that is not as long as the list is refused", arguments: [0, 0xfff, 0x1001, 0x2000])
    func wrongLength(_ count: Int) throws {
        let memory = try AccessMemory.make(pages: 4)
        let pages = try #require(PagedRange(frames: [1, 3], offset: 8, count: 0x1000))
        let bytes = [UInt8](repeating: 1, count: count)
        for error in [
            try AccessMemory.failure { try memory.write(bytes, to: pages) },
            try AccessMemory.failure { _ = try memory.read(pages, count: count) },
        ] {
            #expect(error.kind == .badPageList)
            #expect(error.address == GuestAddress(0x1008))
            #expect(error.count == 0x1000)
        }
        #expect(try memory.read(GuestAddress(0), count: 0x4000).allSatisfy { $0 == 0 })
    }

    @Test("A list with a page that is not memory is not begun")
    func missing() throws {
        let memory = try AccessMemory.make(at: 0x1000, pages: 4)
        for (frames, failing) in [
            ([1, 5], 0x5000), ([2, 0, 3], 0), ([4, 5], 0x5000), ([3, (1 << 52) - 1], 0xffff_ffff_ffff_f000),
        ]
            as [([UInt64], UInt64)]
        {
            let pages = try #require(PagedRange(frames: frames, offset: 4, count: UInt64(frames.count) * 0x1000 - 4))
            let errors = [
                try AccessMemory.failure { try memory.fill(pages, with: 1) },
                try AccessMemory.failure { try memory.write(AccessMemory.pattern(Int(pages.count)), to: pages) },
                try AccessMemory.failure { _ = try memory.read(pages) },
            ]
            for error in errors {
                #expect(error.kind == .notMapped)
                #expect(error.failing == GuestAddress(failing))
                #expect(error.address == GuestAddress(frames[0] << 12 + 4))
                #expect(error.count == pages.count)
                #expect(error.completed == 0)
            }
        }
        #expect(try memory.read(GuestAddress(0x1000), count: 0x4000).allSatisfy { $0 == 0 })
    }

    @Test("A failure in the middle tells how much of the list was done")
    func completed() throws {
        let file = try AccessPages(pages: 4, isFile: true)
        file.truncate(toPages: 2)
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 4)), AccessMemory.region(0x4000, file),
        ])
        let pages = try #require(PagedRange(frames: [0, 2, 5, 6, 1], offset: 0x10, count: 0x4000))
        let error = try AccessMemory.failure { try memory.fill(pages, with: 1) }
        #expect(error.operation == .fill)
        #expect(error.kind == .fault(.noBacking))
        #expect(error.failing == GuestAddress(0x6000))
        #expect(error.completed == 0x2ff0)
        #expect(error.address == GuestAddress(0x10))
        #expect(try memory.load(GuestAddress(0x1000)) as UInt8 == 0)
    }

    @Test("Frames of a part of memory are counted from its start")
    func subrange() throws {
        let memory = try AccessMemory.make(at: 0x1_0000, pages: 16)
        let part = try memory.subrange(#require(AddressRange(start: GuestAddress(0x1_2000), count: 0x2800)))
        let pages = try #require(PagedRange(frames: [1, 0], offset: 8, count: 0x1000))
        try part.write(AccessMemory.pattern(0x1000), to: pages)
        #expect(try memory.read(GuestAddress(0x1_3008), count: 0xff8) == Array(AccessMemory.pattern(0x1000)[..<0xff8]))
        #expect(try memory.read(GuestAddress(0x1_2000), count: 8) == Array(AccessMemory.pattern(0x1000)[0xff8...]))
        let error = try AccessMemory.failure {
            try part.fill(#require(PagedRange(frames: [0, 2], offset: 1, count: 0x1fff)), with: 1)
        }
        #expect(error.kind == .outOfBounds(last: 0x27ff))
        #expect(error.address == GuestAddress(0x1_2001))
        #expect(error.failing == GuestAddress(0x1_4800))
        try part.fill(#require(PagedRange(frames: [0, 2], offset: 1, count: 0x17ff)), with: 1)
    }

    @Test("An empty list is an access of no bytes")
    func empty() throws {
        let memory = try AccessMemory.make(at: 0x1000, pages: 1)
        for pages in [PagedRange(frames: [], count: 0), PagedRange(frames: [99], offset: 7, count: 0)] {
            let pages = try #require(pages)
            #expect(try memory.read(pages) == [])
            try memory.write([], to: pages)
            try memory.fill(pages, with: 1)
        }
    }
}
