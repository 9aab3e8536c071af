import TestSupport
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

    @Test func aFreedNumberCannotBeFreedAgain() {
        var table = MemorySlotTable(limit: 4)
        let id = table.insert(slot)!
        table[id] = nil
        table[id] = nil
        #expect(table.insert(slot)?.rawValue == 0)
        #expect(table.insert(slot)?.rawValue == 1)
    }

    @Test(arguments: [1, 2, 3, .random(in: 4...(.max))] as [UInt64])
    func numbersAreAsFromASearchForTheLowest(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = MemorySlotTable(limit: 300)
        var used = Set<UInt32>()
        for _ in 0..<20_000 {
            if Int.random(in: 0..<100, using: &random) < 52 {
                let lowest = (0..<300 as Range<UInt32>).first { !used.contains($0) }
                #expect(table.insert(slot)?.rawValue == lowest)
                if let lowest { used.insert(lowest) }
            } else {
                let number = UInt32.random(in: 0..<300, using: &random)
                table[MemorySlotID(rawValue: number)] = nil
                used.remove(number)
            }
        }
        #expect(Set(table.slots.indices.filter { table.slots[$0] != nil }.map(UInt32.init)) == used)
    }
}
