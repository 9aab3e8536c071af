import TestSupport
import Testing
import VMDirtyBitmap

extension Races {
    /// Two threads that do one thing each at nearly the same time, over and over, each time a few nanoseconds further apart
    /// or closer together: the way to see what a processor or a wrong order of steps can do within those nanoseconds.
    /// An optimised build comes closest.
    @Suite("Two threads at the same moment")
    struct DuelTests {
        /// How long each duel goes on.
        var duration = Duration.milliseconds(700)

        /// A writer against a harvester.
        struct Duel: Sendable, CustomTestStringConvertible {
            let testDescription: String
            /// Dirty before.
            var before: Range<UInt64>
            /// Written, then marked.
            var marked: Range<UInt64>
            /// Harvested, then copied.
            var harvested: Range<UInt64> = AtomicBitmap.allPages
            var pageSize: UInt64 = 4096
        }

        static let duels: [Duel] = [
            .init(testDescription: "a page that is dirty already", before: 5..<6, marked: 5..<6),
            .init(testDescription: "a page that is clean", before: 0..<0, marked: 5..<6),
            .init(testDescription: "the neighbour of a dirty page", before: 4..<5, marked: 5..<6),
            .init(testDescription: "the neighbour of the page taken", before: 4..<5, marked: 5..<6, harvested: 4..<5),
            .init(testDescription: "a page in the word after a dirty one", before: 4..<5, marked: 64..<65),
            .init(testDescription: "a word that is dirty already", before: 64..<128, marked: 64..<128),
            .init(testDescription: "a word with one dirty page", before: 70..<71, marked: 64..<128),
            .init(testDescription: "ten words that are dirty already", before: 0..<640, marked: 0..<640),
            .init(testDescription: "ten words with one dirty page", before: 600..<601, marked: 0..<640),
            .init(testDescription: "half the pages taken", before: 0..<640, marked: 300..<301, harvested: 290..<310),
            .init(testDescription: "a page of 2 MiB", before: 5..<6, marked: 5..<6, pageSize: 2 << 20),
        ]

        @Test("A write is in the copy, or its page is dirty afterwards", arguments: duels)
        func writeAgainstHarvest(_ duel: Duel) throws {
            let bitmap = try AtomicBitmap(pages: 640, pageSize: duel.pageSize)
            let memory = Numbers(640)
            let copy = Numbers(640)
            let written = CacheLines()
            let read = CacheLines()
            let lost = try meet { round in
                bitmap.markDirty(pages: duel.before)
                read.write(round)
            } first: { round in
                // At times other stores, of lines the other thread had last, keep the processor's store buffer busy: then it
                // looks at the page's bit long before the data can be seen.
                if round & 1 != 0 { written.write(round) }
                memory[Int(duel.marked.lowerBound)] = round
                memory[Int(duel.marked.upperBound - 1)] = round
                bitmap.markDirty(
                    offset: duel.marked.lowerBound * duel.pageSize,
                    count: (duel.marked.upperBound - duel.marked.lowerBound) * duel.pageSize)
            } second: { round in
                var runs: [Range<UInt64>] = []
                runs.reserveCapacity(1)
                if round & 2 != 0 { read.write(round) }
                if round & 4 != 0 {
                    bitmap.harvest(duel.harvested) { copy.copy($0, from: memory) }
                } else {
                    bitmap.harvest(duel.harvested, into: &runs)
                    for run in runs { copy.copy(run, from: memory) }
                }
            } isRight: { round in
                bitmap.harvest { copy.copy($0, from: memory) }
                written.write(round)
                return copy[Int(duel.marked.lowerBound)] == round && copy[Int(duel.marked.upperBound - 1)] == round
            }
            #expect(lost.bad == 0, "of \(lost.rounds) rounds")
        }

        static let marks: [(Range<UInt64>, Range<UInt64>)] = [
            (7..<8, 7..<8), (7..<8, 8..<9), (64..<128, 64..<128), (100..<300, 0..<640),
        ]

        @Test("Who has marked pages finds them, and who marks others at the moment loses none", arguments: marks)
        func markAgainstMark(theirs: Range<UInt64>, ours: Range<UInt64>) throws {
            let bitmap = try AtomicBitmap(pages: 700)
            let seen = try AtomicBitmap(pages: 700)
            let found = SharedNumber()
            let lines = CacheLines()
            let missed = try meet { _ in
                // The words are near the first thread, the summary near the second.
                _ = bitmap.isDirty(page: theirs.lowerBound)
            } first: { round in
                if round & 1 != 0 { lines.write(round) }
                bitmap.markDirty(pages: theirs)
            } second: { _ in
                var runs: [Range<UInt64>] = []
                runs.reserveCapacity(2)
                bitmap.markDirty(pages: ours)
                bitmap.harvest(into: &runs)
                for run in runs { seen.markDirty(pages: run) }
                found.value = seen.dirtyPageCount(ours)
            } isRight: { round in
                lines.write(round)
                bitmap.markDirty(page: 650)
                bitmap.harvest { seen.markDirty(pages: $0) }
                let all = seen.dirtyPageCount(theirs)
                seen.clear()
                return found.value == UInt64(ours.count) && all == UInt64(theirs.count)
            }
            #expect(missed.bad == 0, "of \(missed.rounds) rounds")
        }

        @Test("A page is taken by one of two harvests")
        func harvestAgainstHarvest() throws {
            let bitmap = try AtomicBitmap(pages: 640)
            let taken = SharedNumber()
            let wrong = try meet { round in
                bitmap.markDirty(pages: 60..<(70 + round % 400))
                taken.value = 0
            } first: { _ in
                taken.add(bitmap.harvest { _ in })
            } second: { _ in
                taken.add(bitmap.harvest(64..<600) { _ in })
            } isRight: { round in
                taken.value == 10 + round % 400 && !bitmap.isAnyDirty()
            }
            #expect(wrong.bad == 0, "of \(wrong.rounds) rounds")
        }

        @Test("All of this holds where the kernel has no membarrier(2)")
        func withoutMembarrier() async {
            await #expect(processExitsWith: .success) {
                forgoMembarrier()
                let tests = DuelTests(duration: .milliseconds(200))
                for duel in DuelTests.duels { try tests.writeAgainstHarvest(duel) }
                for (theirs, ours) in DuelTests.marks { try tests.markAgainstMark(theirs: theirs, ours: ours) }
                try tests.harvestAgainstHarvest()
            }
        }

        /// Lets `first` and `second` meet in rounds numbered from 1, `prepare` before and `isRight` after them alone.
        private func meet(
            prepare: @escaping @Sendable (UInt64) -> Void,
            first: @escaping @Sendable (UInt64) -> Void, second: @escaping @Sendable (UInt64) -> Void,
            isRight: @escaping @Sendable (UInt64) -> Bool
        ) throws -> (rounds: UInt64, bad: UInt64) {
            let meeting = Rendezvous(2)
            let deadline = Deadline(duration)
            let bad = SharedNumber()
            let rounds = SharedNumber()
            let isOver = SharedNumber()
            try onThreads(2) { thread in
                var random = SeededGenerator(seed: UInt64(thread))
                var round: UInt64 = 1
                while isOver.value == 0 {
                    if thread == 0 { prepare(round) }
                    meeting.wait()
                    // Of all magnitudes, for who knows how far apart the two are.
                    meeting.pause(random.next() >> (54 + random.next() % 10))
                    if thread == 0 { first(round) } else { second(round) }
                    meeting.wait()
                    if thread == 1 {
                        if !isRight(round) { bad.add(1) }
                        rounds.value = round
                        if deadline.hasPassed { isOver.value = 1 }
                    }
                    meeting.wait()
                    round += 1
                }
            }
            return (rounds.value, bad.value)
        }
    }
}

/// Memory that is taken from the other processor's cache with each write.
private struct CacheLines: Sendable {
    /// About as many as a store buffer has places.
    private let numbers = Numbers(56 * 8)

    func write(_ number: UInt64) {
        for index in stride(from: 0, to: numbers.count, by: 8) { numbers[index] = number }
    }
}

extension Numbers {
    /// Copies the numbers of some pages.
    fileprivate func copy(_ pages: Range<UInt64>, from other: Numbers) {
        for page in pages { self[Int(page)] = other[Int(page)] }
    }
}
