import KVM
import TestSupport
import Testing
import VMAddressSpace

@testable import VMMachine

/// Layouts against a map that has an entry for every page.
@Suite struct SlotLayoutModelTests {
    private static let pageCount: UInt64 = 96

    @Test(
        "Random changes have the effect they have page by page, and take no slot in vain",
        arguments: [1, 2, 3, .random(in: 4...(.max))] as [UInt64])
    func randomChanges(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var layout = SlotLayout()
        var model: [UInt64: MemorySlot] = [:]
        for _ in 0..<10_000 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<4:
                let slots = Self.ascendingRanges(&random).map { Self.randomSlot($0, &random) }
                let taken = slots.contains { $0.range.frames.contains { model[$0] != nil } }
                guard let change = try? layout.mapping(slots) else {
                    #expect(taken)
                    continue
                }
                #expect(!taken && change.removed.isEmpty)
                #expect(change.added == Self.fewest(change.added))
                layout.apply(change)
                for slot in slots { model.merge(Self.byPage(slot)) { _, new in new } }
            case 4..<7:
                let ranges = Self.ascendingRanges(&random)
                let isMapped = ranges.allSatisfy { $0.allSatisfy { model[$0] != nil } }
                guard let change = try? layout.unmapping(ranges.map(pages)) else {
                    #expect(!isMapped)
                    continue
                }
                #expect(isMapped)
                #expect(
                    change.removed == layout.slots.filter { slot in ranges.contains { slot.range.overlaps(pages($0)) } }
                )
                layout.apply(change)
                for page in ranges.joined() { model[page] = nil }
            default:
                let coalesced = layout.coalesced()
                let change = layout.difference(to: coalesced)
                #expect(coalesced.slots == Self.fewest(layout.slots))
                #expect(Set(change.removed).isDisjoint(with: change.added))
                layout.apply(change)
                #expect(layout == coalesced)
            }
            if let index = layout.slots.indices.randomElement(using: &random) {
                let flags = layout.slots[index].flags
                layout.setFlags(flags.symmetricDifference(.logDirtyPages), at: index)
                #expect(layout == SlotLayout(slots: layout.slots))
                layout.setFlags(flags, at: index)
            }
            #expect(layout == SlotLayout(slots: layout.slots))
            #expect(Self.byPage(layout) == model)
            #expect(zip(layout.slots, layout.slots.dropFirst()).allSatisfy { $0.range.last < $1.range.start })
        }
    }

    private static func ascendingRanges(_ random: inout SeededGenerator) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        var start = UInt64.random(in: 0..<pageCount, using: &random)
        while start < pageCount, ranges.count < 3 {
            let end = min(pageCount, start + .random(in: 1...8, using: &random))
            ranges.append(start..<end)
            start = end + .random(in: 0...6, using: &random)
        }
        return ranges
    }

    private static func randomSlot(_ range: Range<UInt64>, _ random: inout SeededGenerator) -> MemorySlot {
        let isElsewhere = Int.random(in: 0..<4, using: &random) == 0
        let isReadOnly = Int.random(in: 0..<4, using: &random) == 0
        return slot(range, host: isElsewhere ? 500 + range.lowerBound : nil, isReadOnly ? .readOnly : [])
    }

    /// Each page as a slot of its own.
    private static func byPage(_ slot: MemorySlot) -> [UInt64: MemorySlot] {
        Dictionary(
            uniqueKeysWithValues: slot.range.frames.map { page in
                let offset = UInt(page - slot.range.start.frame) << 12
                let range = pages(page..<page + 1)
                return (page, MemorySlot(range: range, hostAddress: slot.hostAddress + offset, flags: slot.flags))
            })
    }

    private static func byPage(_ layout: SlotLayout) -> [UInt64: MemorySlot] {
        layout.slots.reduce(into: [:]) { $0.merge(byPage($1)) { _, new in new } }
    }

    /// As few slots as show the same pages: a new one begins only where a page does not go on from the one before.
    private static func fewest(_ slots: [MemorySlot]) -> [MemorySlot] {
        let pages = slots.flatMap { byPage($0).values }.sorted { $0.range < $1.range }
        return pages.reduce(into: []) { result, page in
            if let last = result.last, last.range.endExclusive == page.range.start, last.flags == page.flags,
                last.hostAddress + UInt(last.range.count) == page.hostAddress
            {
                result[result.count - 1].range = try! MemoryRange(from: last.range.start, through: page.range.last)
            } else {
                result.append(page)
            }
        }
    }
}
