import Testing
import VMAddressSpace

@testable import KVM

@Suite struct MemorySlotTableTests {
    private let slot = try! MemorySlot(
        range: MemoryRange(start: GuestAddress(0), count: 0x1000), hostAddress: 0x1000)

    @Test func numbersOfRemovedSlotsAreUsedAgainLowestFirst() {
        var table = MemorySlotTable(limit: 4)
        let ids = (0..<4).map { _ in table.insert(slot) }
        #expect(ids.map { $0?.rawValue } == [0, 1, 2, 3])
        #expect(table.insert(slot) == nil)
        table[MemorySlotID(rawValue: 2)] = nil
        table[MemorySlotID(rawValue: 0)] = nil
        #expect(table.insert(slot)?.rawValue == 0)
        #expect(table.insert(slot)?.rawValue == 2)
        #expect(table.insert(slot) == nil)
    }

    @Test func unknownNumbersHoldNoSlotAndCannotBeSet() {
        var table = MemorySlotTable(limit: 4)
        #expect(table[MemorySlotID(rawValue: 7)] == nil)
        table[MemorySlotID(rawValue: 7)] = slot
        #expect(table[MemorySlotID(rawValue: 7)] == nil)
        #expect(table.insert(slot)?.rawValue == 0)
    }

    @Test func aTableEmptiedFromTheTopStartsOver() {
        var table = MemorySlotTable(limit: 2)
        let first = table.insert(slot)!
        let second = table.insert(slot)!
        table[second] = nil
        table[first] = nil
        #expect(table.slots.isEmpty)
        #expect(table.insert(slot) == first)
    }
}
