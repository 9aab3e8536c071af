import Testing

@testable import VMMigration

@Suite("Pages that are still to be sent")
struct PendingPagesTests {
    private static let blocks = [RAMBlock(name: "a", pageCount: 100), RAMBlock(name: "b", pageCount: 40)]

    private func pending() -> PendingPages {
        var pages = PageSet(Self.blocks)
        for (index, block) in Self.blocks.enumerated() {
            pages.insert(PageRun(block: index, pages: 0..<block.pageCount))
        }
        return PendingPages(pages, of: Self.blocks)
    }

    private func next(_ pending: PendingPages) throws -> (run: PageRun, isRequested: Bool)? {
        guard case .send(let run, let requested) = try pending.next() else { return nil }
        return (run, requested != nil)
    }

    @Test("What was asked for goes first, then what follows it, and each page once")
    func order() throws {
        let pending = pending()
        #expect(try next(pending)?.run == PageRun(block: 0, pages: 0..<32))
        try pending.request(PageRun(block: 1, pages: 10..<11))
        try pending.request(PageRun(block: 0, pages: 90..<92))
        let first = try #require(try next(pending))
        #expect(first.run == PageRun(block: 1, pages: 10..<11) && first.isRequested)
        let second = try #require(try next(pending))
        #expect(second.run == PageRun(block: 0, pages: 90..<92) && second.isRequested)
        let third = try #require(try next(pending))
        #expect(third.run == PageRun(block: 0, pages: 92..<100) && !third.isRequested)
        var rest = Set<PageRun>()
        while let step = try next(pending) {
            #expect(!step.isRequested)
            rest.insert(step.run)
        }
        #expect(rest.reduce(0) { $0 + $1.pages.count } == 140 - 32 - 1 - 2 - 8)
        #expect(try pending.next() == .complete)
    }

    @Test("A request for pages that were sent comes to nothing, and one for some of them gives the others")
    func sentPages() throws {
        let pending = pending()
        _ = try pending.next()
        try pending.request(PageRun(block: 0, pages: 3..<4))
        try pending.request(PageRun(block: 0, pages: 30..<34))
        #expect(try next(pending)?.run == PageRun(block: 0, pages: 32..<34))
        #expect(try next(pending)?.isRequested == false)
    }

    @Test("More requests than anybody can wait for are refused")
    func flood() throws {
        let pending = pending()
        #expect(throws: MigrationError.self) {
            for _ in 0..<100_000 { try pending.request(PageRun(block: 1, pages: 3..<4)) }
        }
        #expect(try next(pending)?.run == PageRun(block: 1, pages: 3..<4))
        #expect(try next(pending)?.isRequested == false)
    }

    @Test("After a list has begun, only what it names is pending, and nothing is complete before it ends")
    func lists() throws {
        let pending = pending()
        pending.fail(.cancelled)
        #expect(throws: MigrationError.self) { try pending.next() }
        pending.beginList()
        #expect(pending.count == 0)
        try pending.add(try list([PageRun(block: 1, pages: 1..<3)], isLast: false))
        #expect(try next(pending)?.run == PageRun(block: 1, pages: 1..<3))
        try pending.add(try list([], isLast: true))
        #expect(try pending.next() == .complete)
        let again = try list([], isLast: true)
        #expect(throws: MigrationError.self) { try pending.add(again) }
    }

    @Test("An end that the other side tells of ends it, whatever is pending")
    func ends() throws {
        let pending = pending()
        pending.end(.released)
        #expect(try pending.next() == .ended)
        #expect(try pending.waitForEnd() == .released)
    }

    private func list(_ runs: [PageRun], isLast: Bool) throws -> MissingPages {
        var writer = MissingPagesWriter()
        var payloads: [[UInt8]] = []
        for run in runs { writer.append(run) { payloads.append(Array($0)) } }
        writer.finish { payloads.append(Array($0)) }
        var payload = try #require(payloads.last)
        payload[4] = isLast ? 1 : 0
        return try payload.withUnsafeBytes { try MissingPages($0, of: Self.blocks) }
    }
}
