import Testing

@testable import VMMigration

@Suite("Lists of pages that are missing")
struct MissingPagesTests {
    private static let blocks = [RAMBlock(name: "a", pageCount: 1 << 40), RAMBlock(name: "b", pageCount: 10)]

    private func payloads(_ runs: [PageRun]) -> [[UInt8]] {
        var writer = MissingPagesWriter()
        var payloads: [[UInt8]] = []
        for run in runs { writer.append(run) { payloads.append(Array($0)) } }
        writer.finish { payloads.append(Array($0)) }
        return payloads
    }

    private func read(_ payload: [UInt8]) throws(MemoryError) -> MissingPages {
        try payload.withUnsafeBufferPointer { (bytes) throws(MemoryError) in
            try MissingPages(UnsafeRawBufferPointer(bytes), of: Self.blocks)
        }
    }

    @Test("A list arrives as it was sent, in as many frames as it needs, of which only the last is the last")
    func roundTrip() throws {
        let runs = (0..<10_000).map { PageRun(block: 0, pages: UInt64($0 * 3)..<UInt64($0 * 3 + 2)) }
        let payloads = payloads(runs)
        #expect(payloads.count == 3)
        #expect(payloads.allSatisfy { $0.count <= FrameType.missing.largestPayload })
        let lists = try payloads.map { try read($0) }
        #expect(lists.map(\.isLast) == [false, false, true])
        #expect(lists.flatMap(\.runs) == runs)
    }

    @Test("An empty list, and a run longer than a count has room for")
    func extremes() throws {
        let empty = try #require(payloads([]).first)
        #expect(try read(empty).runs.isEmpty)
        let long = PageRun(block: 0, pages: 5..<(5 + 1 << 33))
        let runs = try payloads([long]).flatMap { try read($0).runs }
        #expect(runs.count == 3)
        #expect(runs.first?.pages.lowerBound == 5 && runs.last?.pages.upperBound == long.pages.upperBound)
        #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.pages.upperBound == $1.pages.lowerBound })
    }

    /// What is wrong with a list, and how it comes to be.
    static let refusals: [(String, @Sendable (inout [UInt8]) -> Void)] = [
        ("short", { $0.removeLast() }), ("long", { $0.append(0) }), ("no header", { $0 = [1, 0, 0] }),
        ("empty", { $0 = [] }), ("count", { $0[1] = 0xff }), ("flags", { $0[4] = 2 }), ("high flags", { $0[7] = 0x80 }),
        ("block", { $0[8] = 2 }), ("kind", { $0[10] = 0 }), ("no pages", { for index in 12..<16 { $0[index] = 0 } }),
        ("outside", { $0[16] = 10 }), ("overflow", { for index in 16..<24 { $0[index] = 0xff } }),
    ]

    @Test("What is no list of pages of the blocks is refused", arguments: refusals.map(\.0))
    func refusal(_ name: String) throws {
        let damage = try #require(Self.refusals.first { $0.0 == name }).1
        var payload = try #require(payloads([PageRun(block: 1, pages: 3..<6)]).first)
        _ = try read(payload)
        damage(&payload)
        #expect(throws: MemoryError.self) { try read(payload) }
    }
}
