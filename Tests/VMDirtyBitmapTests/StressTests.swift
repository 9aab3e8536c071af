import Glibc
import TestSupport
import Testing
import VMDirtyBitmap

extension Races {
    /// Write, then mark; clear, then copy: writers race a harvester that keeps a copy of the memory.
    @Suite("Writers and a harvester")
    struct StressTests {
        /// What the writers do.
        struct Load: Sendable, CustomTestStringConvertible {
            let testDescription: String
            var pageSize: UInt64 = 4096
            var writers = 2
            var pages: UInt64
            /// Pages that one mark covers.
            var pagesPerMark: UInt64 = 1
            /// How many marks each writer makes before the copy is compared: few, since a lost write only shows where no
            /// later one repairs it.
            var marksPerRound = 8
        }

        static let loads: [Load] = [
            .init(testDescription: "one page, nearly always dirty", pages: 1),
            .init(testDescription: "one page, one writer", writers: 1, pages: 1, marksPerRound: 3),
            .init(testDescription: "few pages of one word", writers: 3, pages: 5),
            .init(testDescription: "single pages", pages: 10_000, marksPerRound: 100),
            .init(testDescription: "whole words", pages: 9000, pagesPerMark: 300),
            .init(testDescription: "the same whole words", writers: 2, pages: 640, pagesPerMark: 640, marksPerRound: 3),
            .init(testDescription: "pages of 2 MiB", pageSize: 2 << 20, pages: 700, pagesPerMark: 2, marksPerRound: 20),
        ]

        @Test("lose no write", arguments: loads)
        func stress(_ load: Load) throws {
            let race = try Race(load)
            let writers = load.writers
            let deadline = Deadline(.seconds(1))
            try onThreads(writers + 1) { thread in
                if thread < writers {
                    race.write(thread)
                } else {
                    race.harvest(until: deadline)
                }
            }
            #expect(race.lost.isEmpty, "after \(race.rounds) rounds, differing where each writer counts on each page")
            #expect(race.rounds > 0)
        }
    }
}

/// A memory in which each writer has a number of its own on every page, a copy of it, and the bitmap between.
private final class Race: @unchecked Sendable {
    // SAFETY: `memory` is atomic; the rest below `meeting` belongs to the harvester until its thread is joined.
    private let load: Races.StressTests.Load
    private let bitmap: AtomicBitmap
    private let memory: Numbers
    private let meeting: Rendezvous
    private let written = SharedNumber()
    private let isOver = SharedNumber()

    private var copy: [UInt64]
    private(set) var rounds = 0
    private(set) var lost: [Int] = []

    init(_ load: Races.StressTests.Load) throws {
        self.load = load
        bitmap = try AtomicBitmap(byteCount: load.pages * load.pageSize, pageSize: load.pageSize)
        memory = Numbers(Int(load.pages) * load.writers)
        copy = memory.all
        meeting = Rendezvous(load.writers + 1)
    }

    func write(_ writer: Int) {
        var random = SeededGenerator(seed: UInt64(writer))
        let slice = bitmap.borrowedSlice(at: 0)
        meeting.wait()
        while isOver.value == 0 {
            for _ in 0..<load.marksPerRound {
                let first = UInt64.random(in: 0...(load.pages - load.pagesPerMark), using: &random)
                let end = first + load.pagesPerMark
                // A plain store, no read-modify-write: that would be the very barrier which the mark does without.
                for page in Set([first, (first + end) / 2, end - 1]) {
                    memory[Int(page) * load.writers + writer] += 1
                }
                slice.markDirty(
                    offset: first * load.pageSize, count: load.pagesPerMark * load.pageSize)
            }
            written.add(1)
            meeting.wait()
            meeting.wait()
        }
    }

    func harvest(until deadline: Deadline) {
        meeting.wait()
        var turn = 0
        while isOver.value == 0 {
            var isLast = false
            while !isLast {
                isLast = written.value == load.writers
                harvestAndCopy(turn)
                turn += 1
            }
            meeting.wait()
            lost = memory.all.indices.filter { memory[$0] != copy[$0] }
            rounds += 1
            written.value = 0
            if deadline.hasPassed || !lost.isEmpty { isOver.value = 1 }
            meeting.wait()
        }
    }

    /// Each of the ways to harvest in turn, of all pages or of one half and then the other.
    private func harvestAndCopy(_ turn: Int) {
        let middle = load.pages / 2
        let ranges = turn % 2 == 0 ? [AtomicBitmap.allPages] : [0..<middle, middle..<load.pages]
        for range in ranges {
            Races.RaceTests.harvest(bitmap, turn / 2, range) { page in
                for index in Int(page) * load.writers..<Int(page + 1) * load.writers { copy[index] = memory[index] }
            }
        }
    }
}
