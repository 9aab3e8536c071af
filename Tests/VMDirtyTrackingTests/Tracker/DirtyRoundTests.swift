import TestSupport
import Testing
import VMAddressSpace
import VMRegions

@testable import VMDirtyTracking

@Suite("A round of dirty pages") struct DirtyRoundTests {
    @Test("An empty round has nothing, and can be put back")
    func empty() throws {
        var round = DirtyRound()
        round.putBack()
        round.clear()
        let memory = try TrackedMemory()
        memory.fill(&round, [], nil)
        round.putBack()
        let (count, runs, inRange) = (round.pageCount, round.runs(), round.pageCount(in: .whole))
        #expect(count == 0 && runs.isEmpty && inRange == 0 && memory.marked.isEmpty)
    }

    @Test("Of words and a range it has the pages that both have, however long either is")
    func ofWords() throws {
        let short = try MemoryRange(start: GuestAddress(0x1_0000), count: 70 << 12)
        var round = DirtyRound([1 << 63, .max, .max], of: short)
        let (runs, count) = (round.runs(), round.pageCount)
        #expect(runs == [79..<86] && count == 7)
        round.putBack()
        let long = DirtyRound([0b110], of: .whole)
        let (longRuns, longCount) = (long.runs(), long.pageCount)
        #expect(longRuns == [1..<3] && longCount == 2)
        let none = DirtyRound([], of: .whole)
        let nothing = none.pageCount
        #expect(nothing == 0)
    }

    @Test("It has what the log and the bitmaps have, once, and takes it")
    func both() throws {
        let memory = try TrackedMemory()
        for frame in [3, 75, 90, 640, 799] as [UInt64] { try memory.write(frame) }
        var round = DirtyRound()
        memory.fill(&round, [(0..<128, [4, 75, 127]), (128..<641, []), (650..<800, [650])], nil)
        let (runs, count, byteCount) = (round.runs(), round.pageCount, round.byteCount)
        #expect(runs == [3..<5, 75..<76, 90..<91, 127..<128, 640..<641, 650..<651, 799..<800])
        #expect(count == 8 && byteCount == 8 << 12)
        #expect(memory.marked.isEmpty)
        round.putBack()
        let (rest, restRuns) = (round.pageCount, round.runs())
        #expect(rest == 0 && restRuns.isEmpty)
        #expect(memory.marked == [3, 4, 75, 90, 127, 640, 650, 799])
    }

    @Test("A slot's last page, in a word that has room for more, is the last of its run")
    func partialWord() throws {
        let memory = try TrackedMemory()
        var round = DirtyRound()
        for length in [1, 63, 64, 65, 128, 150] as [UInt64] {
            let frames = 650..<650 + length
            memory.fill(&round, [(frames, Set(frames))], nil)
            let (runs, count) = (round.runs(), round.pageCount)
            #expect(runs == [frames] && count == length)
            round.putBack()
            #expect(memory.marked == Set(frames))
            memory.fill(&round, [(650..<800, [])], nil)
            let again = round.runs()
            #expect(again == [frames])
        }
    }

    @Test("Putting back marks the memory that was there, also when other memory has come in its place")
    func otherMemory() throws {
        let manager = try RegionManager(addressWidth: 32)
        let backing = try RegionBacking(memfd: "ram", byteCount: 16 << 12)
        let other = try RegionBacking(memfd: "other", byteCount: 16 << 12)
        let definitions = [("ram", backing, 0 as UInt8, MapParameters()), ("over", other, 1, nil)].map {
            RegionDefinition(
                $0.0, pages(0..<16), priority: $0.2, memory: [.init(count: 16 << 12, of: $0.1)], parameters: $0.3)
        }
        let handles = try manager.withTurn { manager throws(RegionManagerError) in
            try manager.addRegions(definitions)
        }
        var round = DirtyRound()
        round.begin(manager.dirtyLog)
        round.append(pages(0..<16)) { $0.fill(0..<16, [3, 4, 15]) }
        round.finish(nil)
        try manager.withTurn { manager throws(RegionManagerError) in
            var update = RegionUpdate()
            update.map(handles[1])
            try manager.apply(update)
        }
        round.putBack()
        #expect((0..<16).filter { backing.bitmap.isDirty(at: $0 << 12) } == [3, 4, 15])
        #expect((0..<16).filter { other.bitmap.isDirty(at: $0 << 12) } == [])
    }

    @Test("A round that is used again needs no memory but what the largest before it did")
    func reuse() throws {
        let memory = try TrackedMemory()
        var round = DirtyRound()
        let largest: [(Range<UInt64>, Set<UInt64>)] = [
            (0..<128, [3, 4]), (128..<311, [200]), (640..<641, [640]), (650..<800, []),
        ]
        func place() -> (words: UInt?, wordCapacity: Int, pieceCapacity: Int) {
            (
                round.words.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }, round.words.capacity,
                round.pieces.capacity
            )
        }
        memory.fill(&round, largest.map { ($0.0, $0.1) }, nil)
        let before = place()
        for turn in 0..<50 {
            memory.fill(&round, largest.prefix(turn % 5).map { ($0.0, $0.1) }, turn % 3 == 0 ? pages(0..<700) : nil)
            let expected = largest.prefix(turn % 5).reduce(0) { $0 + UInt64($1.1.count) }
            let count = round.pageCount
            #expect(count == expected, "what was there before is in the round of turn \(turn)")
            if turn % 2 == 0 { round.clear() }
            #expect(place() == before)
        }
    }

    @Test("Memory whose log cannot be read is not in it, and what came before it can be put back")
    func failure() throws {
        struct Failure: Error {}
        let memory = try TrackedMemory()
        var round = DirtyRound()
        round.begin(memory.manager.dirtyLog)
        round.append(pages(0..<128)) { $0.fill(0..<128, [5, 100]) }
        var failed = false
        do throws(Failure) {
            try round.append(pages(128..<311)) { (words) throws(Failure) in
                words.fill(128..<311, [200])
                throw Failure()
            }
        } catch {
            failed = true
        }
        #expect(failed)
        try memory.write(250)
        round.putBack()
        #expect(memory.marked == [5, 100, 250])
        memory.fill(&round, [(0..<311, [])], nil)
        let frames = round.frames()
        #expect(frames == [5, 100, 250])
    }

    @Test(
        "Pages that rings had count once, however often and in whatever runs they come; those of no slot are handed back",
        arguments: [1, 2, .random(in: 3...(.max))] as [UInt64])
    func rings(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let memory = try TrackedMemory()
        var round = DirtyRound()
        let slots: [Range<UInt64>] = [3..<80, 90..<311, 650..<800]
        for turn in 0..<100 {
            round.begin(memory.manager.dirtyLog)
            for slot in slots { round.append(pages(slot)) }
            let ranges = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                let start = UInt64.random(in: 0..<TrackedMemory.end, using: &random)
                return start..<start + (Bool.random(using: &random) ? 1 : .random(in: 1...200, using: &random))
            }
            var others: [Range<UInt64>] = []
            round.add(ranges.map(pages)) { others.append($0.frames) }
            try memory.write(95)
            round.finish(nil)

            let (inside, outside) = ranges.split { range in slots.contains { $0.clamped(to: range) == range } }
            let (frames, count) = (round.frames(), round.pageCount)
            #expect(others == outside, "seed \(seed), turn \(turn)")
            #expect(frames == Set(inside.joined()).union([95]), "seed \(seed), turn \(turn): \(ranges)")
            #expect(count == UInt64(frames.count), "seed \(seed), turn \(turn): \(ranges)")
        }
    }

    @Test(
        "Whatever is logged and marked, asked for and put back, each page is in the round or in the bitmaps",
        arguments: [1, 2, 3, .random(in: 4...(.max))] as [UInt64])
    func model(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let memory = try TrackedMemory()
        var round = DirtyRound()
        var marked: Set<UInt64> = []
        for _ in 0..<400 {
            for _ in 0..<Int.random(in: 0..<6, using: &random) {
                guard let frame = TrackedMemory.all.randomElement(using: &random) else { continue }
                try memory.write(frame)
                marked.insert(frame)
            }
            let slots = slots(using: &random)
            let low = UInt64.random(in: 0..<TrackedMemory.end, using: &random)
            let wanted: Range<UInt64>? =
                Bool.random(using: &random) ? nil : low..<UInt64.random(in: low + 1...TrackedMemory.end, using: &random)
            // Slots that have nothing of what is wanted are not asked.
            let asked = slots.filter { slot in wanted.map(slot.frames.overlaps) ?? true }
            memory.fill(&round, asked, wanted.map(pages))

            let covered = Set(asked.flatMap { Array($0.frames.clamped(to: wanted ?? $0.frames)) })
            let known = marked.union(asked.flatMap(\.dirty))
            let expected = known.intersection(covered)
            marked = known.subtracting(covered)
            check(
                round, expected, "seed \(seed), \(asked.map(\.frames)), wanted \(String(describing: wanted))", &random)
            #expect(memory.marked == marked, "seed \(seed)")
            if Bool.random(using: &random) {
                round.putBack()
                marked.formUnion(expected)
                #expect(memory.marked == marked, "seed \(seed)")
                let (count, runs) = (round.pageCount, round.runs())
                #expect(count == 0 && runs.isEmpty)
            }
        }
    }

    private func check(
        _ round: borrowing DirtyRound, _ expected: Set<UInt64>, _ comment: Comment, _ random: inout SeededGenerator
    ) {
        let runs = round.runs()
        #expect(Set(runs.joined()) == expected, comment)
        #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }, comment)
        #expect(runs.allSatisfy { !$0.isEmpty })
        let (count, byteCount) = (round.pageCount, round.byteCount)
        #expect(count == UInt64(expected.count) && byteCount == count << 12, comment)
        let low = UInt64.random(in: 0..<TrackedMemory.end + 100, using: &random)
        let range = low..<UInt64.random(in: low + 1...low + 400, using: &random)
        let inRange = round.pageCount(in: pages(range))
        #expect(inRange == UInt64(expected.count(where: range.contains)), comment)
    }

    /// Ascending and disjoint, over memory and holes, with logs that have bits where there is memory.
    private func slots(using random: inout SeededGenerator) -> [(frames: Range<UInt64>, dirty: Set<UInt64>)] {
        var slots: [(Range<UInt64>, Set<UInt64>)] = []
        var next: UInt64 = 0
        while next < TrackedMemory.end {
            if Int.random(in: 0..<3, using: &random) == 0 { next += .random(in: 0..<60, using: &random) }
            guard next < TrackedMemory.end else { break }
            let frames = next..<min(TrackedMemory.end, next + .random(in: 1...300, using: &random))
            let words = RandomWords.words((frames.count + 63) / 64, using: &random)
            let dirty = frames.filter { words[Int($0 - next) / 64] >> (($0 - next) % 64) & 1 == 1 }
            slots.append((frames, Set(dirty).intersection(TrackedMemory.all)))
            next = frames.upperBound
        }
        return slots
    }
}

extension Array {
    fileprivate func split(_ isFirst: (Element) -> Bool) -> ([Element], [Element]) {
        (filter(isFirst), filter { !isFirst($0) })
    }
}
