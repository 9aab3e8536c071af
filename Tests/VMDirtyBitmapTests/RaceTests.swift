import TestSupport
import Testing
import VMDirtyBitmap

/// What threads do to one bitmap. One race at a time: threads that wait for a processor do not race.
@Suite("Races", .serialized, .timeLimit(.minutes(10)))
enum Races {}

extension Races {
    @Suite("Threads")
    struct RaceTests {
        /// Harvests in each of the ways there are by turns, and gives each page taken to `body`.
        static func harvest(_ bitmap: AtomicBitmap, _ turn: Int, _ range: Range<UInt64>, _ body: (UInt64) -> Void) {
            switch turn % 3 {
            case 0:
                bitmap.harvest(range) { for page in $0 { body(page) } }
            case 1:
                var runs: [Range<UInt64>] = []
                bitmap.harvest(range, into: &runs)
                for page in runs.joined() { body(page) }
            default:
                let end = min(range.upperBound, bitmap.pageCount)
                let words = bitmap.harvestedWords(range, count: Int((end - min(range.lowerBound, end) + 63) / 64))
                for (index, word) in words.enumerated() {
                    for bit in 0..<64 as Range<UInt64> where word >> bit & 1 != 0 {
                        body(range.lowerBound + UInt64(index) * 64 + bit)
                    }
                }
            }
        }

        @Test("that harvest at once get each page once", arguments: [5, 64, 1000, 9001] as [UInt64])
        func partition(pages: UInt64) throws {
            let bitmap = try AtomicBitmap(pages: pages)
            let harvesters = 4
            let rounds = 30
            let meeting = Rendezvous(harvesters)
            let counts = Numbers(Int(pages))
            try onThreads(harvesters) { thread in
                var random = SeededGenerator(seed: UInt64(thread))
                for round in 0..<rounds {
                    if thread == 0 { bitmap.markDirty(pages: AtomicBitmap.allPages) }
                    meeting.wait()
                    let start = UInt64.random(in: 0..<pages, using: &random)
                    RaceTests.harvest(bitmap, round + thread, start..<(start + pages / 3)) {
                        counts.add(1, to: Int($0))
                    }
                    RaceTests.harvest(bitmap, round, AtomicBitmap.allPages) { counts.add(1, to: Int($0)) }
                    meeting.wait()
                }
            }
            #expect(counts.all.allSatisfy { $0 == UInt64(rounds) })
            #expect(bitmap.runs.isEmpty)
        }

        @Test("that mark different pages of the same words lose none")
        func marks() throws {
            let bitmap = try AtomicBitmap(pages: 3 * 4096 + 17)
            let threads: UInt64 = 4
            let meeting = Rendezvous(Int(threads))
            for way in 0..<3 {
                bitmap.clear()
                try onThreads(Int(threads)) { thread in
                    meeting.wait()
                    for page in stride(from: UInt64(thread), to: bitmap.pageCount, by: Int(threads)) {
                        switch way {
                        case 0: bitmap.markDirty(page: page)
                        case 1: bitmap.markDirty(offset: page * 4096, count: 1)
                        default: bitmap.merge(words: [1].span, atPage: page)
                        }
                    }
                }
                #expect(bitmap.runs == [0..<bitmap.pageCount])
                #expect(bitmap.dirtyPageCount() == bitmap.pageCount)
            }
        }

        @Test("that clear one page never undo a mark on its neighbours")
        func clears() throws {
            let bitmap = try AtomicBitmap(pages: 128)
            let isDone = SharedNumber()
            let lost = SharedNumber()
            try onThreads(2) { thread in
                if thread == 0 {
                    while isDone.value == 0 {
                        bitmap.clear(page: 64)
                        bitmap.clear(1..<63)
                        bitmap.harvest(65..<127) { _ in }
                    }
                } else {
                    for _ in 0..<10_000 {
                        for page in [0, 63, 127] as [UInt64] {
                            bitmap.markDirty(page: page)
                            if !bitmap.isDirty(page: page) { lost.add(1) }
                            bitmap.clear(page: page)
                        }
                        bitmap.markDirty(pages: 1..<127)
                    }
                    isDone.value = 1
                }
            }
            #expect(lost.value == 0)
        }

        @Test("that mark and harvest while a bitmap grows lose nothing and see no page twice")
        func growth() throws {
            let limit: UInt64 = 40_000
            let bitmap = try AtomicBitmap(byteCount: 0, pageSize: 4096, growableTo: limit * 4096)
            let counts = Numbers(Int(limit))
            let isDone = SharedNumber()
            try onThreads(4) { thread in
                switch thread {
                case 0, 1:
                    // Both grow; each marks its half of the pages as soon as they are there.
                    for page in 0..<limit where Int(page) % 2 == thread {
                        do { try bitmap.grow(toByteCount: (page + 1) * 4096) } catch { Issue.record(error) }
                        bitmap.markDirty(page: page)
                    }
                    isDone.add(1)
                default:
                    var turn = thread
                    while isDone.value < 2 {
                        RaceTests.harvest(bitmap, turn, AtomicBitmap.allPages) { counts.add(1, to: Int($0)) }
                        turn += 1
                    }
                }
            }
            bitmap.harvest { for page in $0 { counts.add(1, to: Int(page)) } }
            #expect(bitmap.pageCount == limit)
            #expect(counts.all.allSatisfy { $0 == 1 })
        }
    }
}
