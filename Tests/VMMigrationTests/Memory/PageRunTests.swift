import Testing
import VMMigration

@Suite("Page runs")
struct PageRunTests {
    @Test("A run of pages is a range of bytes in its block")
    func bytes() {
        #expect(PageRun(block: 0, pages: 2..<5).bytes == 8192..<20480)
        #expect(RAMBlock(name: "ram", pageCount: 3).byteCount == 12288)
    }
}
