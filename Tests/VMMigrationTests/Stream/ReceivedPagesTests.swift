import TestSupport
import Testing
import VMMigration

@Suite("Pages that have come")
struct ReceivedPagesTests {
    @Test("The first page that is missing is named, until all have come")
    func missing() throws {
        let pages = try ReceivedPages(SampleStream.blocks)
        #expect(throws: MemoryError.missing(block: "ram", page: 0)) { try pages.checkComplete() }
        pages.mark(PageRun(block: 0, pages: 1..<12))
        #expect(throws: MemoryError.missing(block: "ram", page: 0)) { try pages.checkComplete() }
        pages.mark(PageRun(block: 0, pages: 0..<1))
        #expect(throws: MemoryError.missing(block: "video", page: 0)) { try pages.checkComplete() }
        pages.mark(PageRun(block: 1, pages: 0..<1))
        pages.mark(PageRun(block: 1, pages: 2..<3))
        #expect(throws: MemoryError.missing(block: "video", page: 1)) { try pages.checkComplete() }
        #expect(pages.count == 14)
        pages.mark(PageRun(block: 1, pages: 0..<3))
        try pages.checkComplete()
        #expect(pages.count == 15)
    }

    @Test("Whether any page of a run has come")
    func contains() throws {
        let pages = try ReceivedPages(SampleStream.blocks)
        pages.mark(PageRun(block: 0, pages: 4..<6))
        #expect(pages.containsAny(of: PageRun(block: 0, pages: 5..<9)))
        #expect(!pages.containsAny(of: PageRun(block: 0, pages: 6..<9)))
        #expect(!pages.containsAny(of: PageRun(block: 1, pages: 0..<3)))
    }

    @Test("Pages that there are not are ignored")
    func outside() throws {
        let pages = try ReceivedPages(SampleStream.blocks)
        for block in [-1, 2] { pages.mark(PageRun(block: block, pages: 0..<1)) }
        pages.mark(PageRun(block: 0, pages: 12..<100))
        #expect(pages.count == 0)
        #expect(!pages.containsAny(of: PageRun(block: 2, pages: 0..<1)))
    }

    @Test("No blocks, and blocks of no pages, are complete")
    func empty() throws {
        try ReceivedPages([]).checkComplete()
        try ReceivedPages([RAMBlock(name: "none", pageCount: 0)]).checkComplete()
    }

    @Test("Marks of several threads in the same words all count")
    func threads() throws {
        let pageCount: UInt64 = 1 << 12
        let pages = try ReceivedPages([RAMBlock(name: "ram", pageCount: pageCount)])
        try onThreads(4) { index in
            for page in stride(from: UInt64(index), to: pageCount, by: 4) {
                pages.mark(PageRun(block: 0, pages: page..<(page + 1)))
            }
        }
        try pages.checkComplete()
        #expect(pages.count == pageCount)
    }
}
