import KVM
import Testing
import VMAddressSpace

@testable import VMMachine

@Suite struct SlotLayoutTests {
    private func layout(_ slots: MemorySlot...) -> SlotLayout {
        var layout = SlotLayout()
        for slot in slots { layout.insert(slot) }
        return layout
    }

    @Test("Unmapping the middle of a slot replaces it by its two ends")
    func unmappingTheMiddle() throws {
        let change = try layout(slot(0..<10), slot(20..<30)).unmapping([pages(3..<5)])
        #expect(change == SlotChange(removed: [slot(0..<10)], added: [slot(0..<3), slot(5..<10)]))
    }

    @Test("Unmapping several ranges of a slot removes it once")
    func unmappingSeveralRanges() throws {
        let change = try layout(slot(0..<10, host: 100, .readOnly)).unmapping([
            pages(0..<1), pages(4..<5), pages(9..<10),
        ])
        #expect(change.removed == [slot(0..<10, host: 100, .readOnly)])
        #expect(change.added == [slot(1..<4, host: 101, .readOnly), slot(5..<9, host: 105, .readOnly)])
    }

    @Test("Unmapping a range over several slots leaves what is outside, and slots elsewhere are not touched")
    func unmappingAcrossSlots() throws {
        let layout = layout(slot(0..<4), slot(4..<8, host: 50), slot(8..<12), slot(12..<16, host: 70))
        let change = try layout.unmapping([pages(2..<9)])
        #expect(change.removed == [slot(0..<4), slot(4..<8, host: 50), slot(8..<12)])
        #expect(change.added == [slot(0..<2), slot(9..<12)])
    }

    @Test(
        "Unmapping where no memory is is an error that names the place",
        arguments: [(3..<5, 4..<5), (4..<5, 4..<5), (4..<9, 4..<6), (0..<30, 4..<6), (9..<12, 10..<12)]
            as [(Range<UInt64>, Range<UInt64>)])
    func unmappingNothing(_ range: Range<UInt64>, _ hole: Range<UInt64>) {
        let layout = layout(slot(0..<4), slot(6..<10))
        #expect(throws: SlotLayoutError.notMapped(pages(hole))) { try layout.unmapping([pages(range)]) }
    }

    @Test("Mapping over memory is an error that names both")
    func mappingOverMemory() {
        let layout = layout(slot(0..<4), slot(6..<10))
        #expect(throws: SlotLayoutError.occupied(pages(4..<7), by: pages(6..<10))) {
            try layout.mapping([slot(4..<7)])
        }
    }

    @Test("What does not ascend is refused")
    func outOfOrder() {
        let layout = layout(slot(0..<10))
        #expect(throws: SlotLayoutError.unordered(pages(4..<5), pages(2..<3))) {
            try layout.unmapping([pages(4..<5), pages(2..<3)])
        }
        #expect(throws: SlotLayoutError.unordered(pages(20..<24), pages(23..<26))) {
            try layout.mapping([slot(20..<24), slot(23..<26)])
        }
    }

    @Test("New memory is in as few slots as can be, and leaves its neighbours alone")
    func mappingBesideMemory() throws {
        let change = try layout(slot(0..<4)).mapping([slot(4..<6), slot(6..<8), slot(8..<9, .readOnly), slot(10..<12)])
        #expect(change.removed.isEmpty)
        #expect(change.added == [slot(4..<8), slot(8..<9, .readOnly), slot(10..<12)])
    }

    @Test("Slots are one if guest, host and flags go on unbroken")
    func coalescing() {
        let layout = layout(
            slot(0..<4), slot(4..<6), slot(6..<8, .readOnly), slot(8..<10), slot(10..<12, host: 9), slot(13..<14),
            slot(14..<15))
        #expect(
            layout.coalesced().slots == [
                slot(0..<6), slot(6..<8, .readOnly), slot(8..<10), slot(10..<12, host: 9), slot(13..<15),
            ])
    }

    @Test("A slot never has more pages than the kernel allows")
    func coalescingUpToTheLimit() {
        let limit = MemorySlot.maximumPageCount
        let exact = layout(slot(0..<limit - 1), slot(limit - 1..<limit))
        #expect(exact.coalesced().slots == [slot(0..<limit)])
        let above = layout(slot(0..<limit - 1), slot(limit - 1..<limit + 1))
        #expect(above.coalesced() == above)
    }

    @Test("Slots at both ends of the address spaces are handled, and do not meet around the end")
    func endsOfTheAddressSpaces() throws {
        let last = GuestAddress.frameCount - 1
        let top = MemorySlot(range: pages(last - 1..<last + 1), hostAddress: 0x1000)
        let below = MemorySlot(range: pages(last - 3..<last - 1), hostAddress: UInt.max - 0x1fff)
        let both = layout(below, top)
        #expect(both.coalesced() == both)
        let change = try both.unmapping([pages(last..<last + 1)])
        #expect(
            change
                == SlotChange(removed: [top], added: [MemorySlot(range: pages(last - 1..<last), hostAddress: 0x1000)]))
    }
}
