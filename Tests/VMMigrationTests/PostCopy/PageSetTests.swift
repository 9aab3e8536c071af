import TestSupport
import Testing

@testable import VMMigration

@Suite("Sets of pages")
struct PageSetTests {
    private static let blocks = [RAMBlock(name: "a", pageCount: 200), RAMBlock(name: "b", pageCount: 64)]

    @Test("A set is what was inserted and not removed, as a plain set of numbers has it")
    func model() {
        var random = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
        var set = PageSet(Self.blocks)
        var model: [Set<UInt64>] = [[], []]
        for _ in 0..<2000 {
            let block = Int.random(in: 0...1, using: &random)
            let first = UInt64.random(in: 0..<Self.blocks[block].pageCount, using: &random)
            let end = UInt64.random(in: first...Self.blocks[block].pageCount, using: &random)
            let run = PageRun(block: block, pages: first..<end)
            if Bool.random(using: &random) {
                set.insert(run)
                model[block].formUnion(run.pages)
            } else {
                set.remove(run)
                model[block].subtract(run.pages)
            }
            #expect(set.count == UInt64(model[0].count + model[1].count))
            #expect(set.containsAny(of: run) == !model[block].isDisjoint(with: run.pages))
            var found: [Set<UInt64>] = [[], []]
            set.forEachRun { found[$0.block].formUnion($0.pages) }
            #expect(found == model)
        }
    }

    @Test("Runs are as long as they can be, and at most as long as asked for")
    func runs() {
        var set = PageSet(Self.blocks)
        set.insert(PageRun(block: 0, pages: 60..<130))
        let all = PageRun(block: 0, pages: 0..<200)
        #expect(set.first(in: all) == PageRun(block: 0, pages: 60..<130))
        #expect(set.first(in: all, limit: 8) == PageRun(block: 0, pages: 60..<68))
        #expect(set.first(in: PageRun(block: 0, pages: 100..<120)) == PageRun(block: 0, pages: 100..<120))
        #expect(set.first(in: PageRun(block: 0, pages: 130..<200)) == nil)
        #expect(set.first(in: PageRun(block: 1, pages: 0..<64)) == nil)
        #expect(set.first(in: PageRun(block: 0, pages: 70..<70)) == nil)
    }

    @Test("What one set has and another has not")
    func difference() {
        var set = PageSet(Self.blocks)
        set.insert(PageRun(block: 0, pages: 10..<20))
        set.insert(PageRun(block: 1, pages: 0..<64))
        var other = PageSet(Self.blocks)
        other.insert(PageRun(block: 0, pages: 12..<14))
        other.insert(PageRun(block: 1, pages: 0..<64))
        var runs: [PageRun] = []
        set.subtracting(other).forEachRun { runs.append($0) }
        #expect(runs == [PageRun(block: 0, pages: 10..<12), PageRun(block: 0, pages: 14..<20)])
    }
}
