import Testing
import VMDirtyBitmap

@Suite("A harvest")
struct HarvestTests {
    struct Stop: Error {}

    @Test("takes runs across words and words of the summary whole")
    func maximalRuns() throws {
        let bitmap = try AtomicBitmap(pages: 3 * 4096)
        for run in [0..<1, 60..<70, 127..<128, 130..<4096, 4096..<8192, 8200..<8256] as [Range<UInt64>] {
            bitmap.markDirty(pages: run)
        }
        let runs: [Range<UInt64>] = [0..<1, 60..<70, 127..<128, 130..<8192, 8200..<8256]
        #expect(bitmap.runs == runs)
        #expect(bitmap.dirtyPageCount() == 1 + 10 + 1 + 8062 + 56)
        var collected: [Range<UInt64>] = [5..<6]
        let other = try bitmap.copy()
        #expect(other.harvest(into: &collected) == 8130)
        #expect(collected == [5..<6] + runs, "appended to what was there")
        var pages: UInt64 = 0
        #expect(bitmap.harvest { pages += UInt64($0.count) } == 8130)
        #expect(pages == 8130)
        #expect(bitmap.harvestedRuns() == [])
        #expect(bitmap.harvest(into: &collected) == 0)
    }

    @Test("of some pages leaves the others marked", arguments: [0, 1, 63, 64, 65, 100, 4095, 4096, 4200] as [UInt64])
    func ranged(start: UInt64) throws {
        for length in [0, 1, 2, 63, 64, 65, 200, 4096, 5000] as [UInt64] {
            let range = start..<min(start + length, 9000)
            let bitmap = try AtomicBitmap(pages: 9000)
            bitmap.markDirty(pages: AtomicBitmap.allPages)
            #expect(bitmap.harvestedRuns(range) == (range.isEmpty ? [] : [range]))
            let others = range.isEmpty ? [0..<9000] : [0..<range.lowerBound, range.upperBound..<9000]
            #expect(bitmap.runs == others.filter { !$0.isEmpty })
            #expect(bitmap.harvestedRuns(range).isEmpty)
            bitmap.markDirty(pages: range)
            #expect(bitmap.harvestedRuns() == [0..<9000])
        }
    }

    @Test("into words counts them from the first page asked for", arguments: [0, 1, 63, 64, 65, 4096 + 7] as [UInt64])
    func words(start: UInt64) throws {
        var model = PageModel(byteCount: 9000, pageSize: 1)
        let bitmap = try AtomicBitmap(pages: 9000, pageSize: 1)
        for run in [0..<3, 60..<70, 128..<256, 4000..<4200, 8990..<9000] as [Range<UInt64>] {
            model.set(true, run)
            bitmap.markDirty(pages: run)
        }
        let range = start..<UInt64.max
        let expected = model.words(range, count: 141)
        #expect(bitmap.harvestedWords(range, count: 141) == expected)
        #expect(bitmap.runs == model.runs(0..<start))
    }

    @Test("into words adds to what they hold, and returns what it took")
    func accumulates() throws {
        let bitmap = try AtomicBitmap(pages: 128)
        var words: [UInt64] = [1, 1 << 63]
        var span = words.mutableSpan
        bitmap.markDirty(pages: 62..<66)
        #expect(bitmap.harvest(into: &span) == 4)
        bitmap.markDirty(page: 0)
        #expect(bitmap.harvest(into: &span) == 1, "marked there already, yet taken")
        let expected: [UInt64] = [3 << 62 | 1, 1 << 63 | 3]
        #expect(words == expected)
    }

    @Test("into too few words leaves marked what found no room")
    func fewWords() throws {
        let bitmap = try AtomicBitmap(pages: 1000)
        bitmap.markDirty(pages: 0..<1000)
        #expect(bitmap.harvestedWords(10..<500, count: 2) == [.max, .max])
        #expect(bitmap.runs == [0..<10, 138..<1000])
        #expect(bitmap.harvestedWords(count: 0) == [])
        #expect(bitmap.harvestedWords(990 ..< .max, count: 1) == [1023])
        #expect(bitmap.runs == [0..<10, 138..<990])
    }

    @Test(
        "whose consumer throws puts back that run and all after it",
        arguments: [0, 1, 2, 255, 256, 257, 400, 511, 512, 700])
    func throwing(at failing: Int) throws {
        let bitmap = try AtomicBitmap(pages: 6 * 4096)
        // 701 runs with a word between them at times, some across words, and a last one across the summary.
        var runs = (0..<700 as Range<UInt64>).map { ($0 * 30 + 60)..<($0 * 30 + 60 + $0 % 28 + 1) }
        runs.append(22000..<24576)
        for run in runs { bitmap.markDirty(pages: run) }
        var taken: [Range<UInt64>] = []
        #expect(throws: Stop.self) {
            try bitmap.harvest { (run) throws(Stop) in
                if taken.count == failing { throw Stop() }
                taken.append(run)
            }
        }
        #expect(taken == Array(runs[..<failing]))
        #expect(bitmap.runs == Array(runs[failing...]))
        #expect(bitmap.harvestedRuns() == Array(runs[failing...]), "found by way of the summary, too")
    }

    @Test("of some pages whose consumer throws loses nothing either")
    func throwingRanged() throws {
        let bitmap = try AtomicBitmap(pages: 3 * 4096)
        bitmap.markDirty(pages: AtomicBitmap.allPages)
        bitmap.clear(page: 5000)
        for range in [0..<10, 70..<4100, 4100..<9000, 4096..<8192] as [Range<UInt64>] {
            #expect(throws: Stop.self) { try bitmap.harvest(range) { (_) throws(Stop) in throw Stop() } }
            #expect(bitmap.runs == [0..<5000, 5001..<12288])
        }
        #expect(bitmap.harvestedRuns() == [0..<5000, 5001..<12288])
    }

    @Test("can be put back, from runs and from words")
    func putBack() throws {
        let bitmap = try AtomicBitmap(pages: 5000)
        let runs: [Range<UInt64>] = [3..<4, 100..<300, 4090..<5000]
        for run in runs { bitmap.markDirty(pages: run) }
        for run in bitmap.harvestedRuns() { bitmap.markDirty(pages: run) }
        #expect(bitmap.runs == runs)
        bitmap.merge(words: bitmap.harvestedWords(77..<4500, count: 70).span, atPage: 77)
        #expect(bitmap.runs == runs)
    }

    @Test("may be marked and harvested from within")
    func reentrant() throws {
        let bitmap = try AtomicBitmap(pages: 1000)
        bitmap.markDirty(pages: 10..<20)
        bitmap.harvest { run in
            bitmap.markDirty(page: run.upperBound)
            #expect(bitmap.harvestedRuns() == [20..<21])
            bitmap.markDirty(page: 500)
        }
        #expect(bitmap.runs == [500..<501])
    }
}
