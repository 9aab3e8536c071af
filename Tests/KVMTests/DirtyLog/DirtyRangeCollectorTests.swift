import TestSupport
import Testing
import VMAddressSpace

@testable import KVM

/// What a ring's entries say in page numbers of slots, as guest-physical ranges.
@Suite("Ranges of pages that a dirty ring had") struct DirtyRangeCollectorTests {
    private typealias Entry = (slot: UInt32, page: UInt64)

    /// Slot 0: frames 16..<80; slot 1: 100..<101; slot 3: the last two there are. There is no slot 2.
    private static let table: MemorySlotTable = {
        var table = MemorySlotTable(limit: 8)
        for frames in [16..<80, 100..<101, 200..<201, (1 << 52 - 2)..<(1 << 52)] as [Range<UInt64>] {
            _ = table.insert(MemorySlot(range: try! MemoryRange(frames: frames), hostAddress: 0x1000))
        }
        table[MemorySlotID(rawValue: 2)] = nil
        return table
    }()

    private func frames(_ entries: [Entry]) -> [Range<UInt64>] {
        var ranges: [MemoryRange] = []
        var collector = DirtyRangeCollector()
        for entry in entries {
            collector.add(entry.page, of: MemorySlotID(rawValue: entry.slot), Self.table, to: &ranges)
        }
        collector.end(&ranges)
        return ranges.map(\.frames)
    }

    @Test("Pages that follow one another are one range, in the order of the entries")
    func runs() {
        #expect(frames([]) == [])
        #expect(frames([(0, 5)]) == [21..<22])
        #expect(frames([(0, 5), (0, 6), (0, 7), (0, 3), (0, 4)]) == [21..<24, 19..<21])
        #expect(frames([(0, 63), (1, 0), (0, 0)]) == [79..<80, 100..<101, 16..<17])
        #expect(frames([(0, 5), (0, 5), (0, 4)]) == [21..<22, 21..<22, 20..<21])
    }

    @Test("Pages of slots that are gone, or never were, are left out, and those around them stay")
    func gone() {
        #expect(frames([(2, 0), (2, 1)]) == [])
        #expect(frames([(0, 1), (2, 2), (0, 2), (77, 3), (0xffff, 4), (1, 0)]) == [17..<18, 18..<19, 100..<101])
    }

    @Test("Pages past a slot's end are left out, however large their numbers")
    func pastTheEnd() {
        #expect(frames([(0, 62), (0, 63), (0, 64), (0, 65), (0, 0)]) == [78..<80, 16..<17])
        #expect(frames([(1, 1), (1, 0)]) == [100..<101])
        #expect(frames([(3, 0), (3, 1), (3, 2)]) == [(1 << 52 - 2)..<(1 << 52)])
        #expect(frames([(0, .max), (0, .max), (0, 0)]) == [16..<17])
        #expect(frames([(0, .max - 1), (0, .max), (0, 0), (0, 1)]) == [16..<18])
        #expect(frames([(2, .max), (2, .max), (1, 0)]) == [100..<101])
    }

    @Test("The ranges are of the pages of the entries, and no others", arguments: [1, 2, .random(in: 3...(.max))])
    func model(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var entries: [Entry] = []
            var next: UInt64 = 0
            for _ in 0..<Int.random(in: 0..<40, using: &random) {
                if Int.random(in: 0..<3, using: &random) == 0 { next = .random(in: 0..<70, using: &random) }
                entries.append((UInt32.random(in: 0..<5, using: &random) / 2, next))
                next += 1
            }
            let expected = entries.compactMap { entry in
                Self.table[MemorySlotID(rawValue: entry.slot)].flatMap { slot in
                    entry.page < slot.range.pageCount ? slot.range.frames.lowerBound + entry.page : nil
                }
            }
            #expect(frames(entries).flatMap { Array($0) } == expected, "seed \(seed)")
        }
    }
}
