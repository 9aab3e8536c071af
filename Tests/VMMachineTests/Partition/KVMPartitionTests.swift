import Glibc
import KVM
import TestSupport
import Testing
import VMAddressSpace
import VMRegions

@testable import VMMachine

@Suite struct KVMPartitionTests {
    private let vm = FakeVM()

    @Test("Memory mapped together is one slot where guest and host go on alike")
    func mappedTogether() throws {
        let partition = vm.partition()
        try partition.carryOut(
            change(map: [mapping(0..<4), mapping(4..<8), mapping(8..<9, isWritable: false), mapping(12..<16, host: 12)])
        )
        #expect(vm.slots == [slot(0..<8), slot(8..<9, .readOnly), slot(12..<16)])
        #expect(partition.slots.map(\.slot) == vm.slots)
        #expect(partition.counters == SlotCounters(slotsAdded: 3))
    }

    @Test("What is added while the guest runs gets a slot of its own, and the processors run on")
    func addingWhileRunning() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8)]))
        try partition.carryOut(change(map: [mapping(8..<16)]))
        #expect(vm.slots == [slot(0..<8), slot(8..<16)])
        try partition.carryOut(change(unmap: [0..<8]))
        #expect(vm.slots == [slot(8..<16)])
        #expect(partition.counters == SlotCounters(slotsAdded: 2, slotsRemoved: 1))
    }

    @Test("A ROM over RAM splits its slot, and once it is gone the slot is whole again")
    func overlay() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64)]))
        try partition.carryOut(change(unmap: [16..<20], map: [mapping(16..<20, host: 500, isWritable: false)]))
        #expect(vm.slots == [slot(0..<16), slot(16..<20, host: 500, .readOnly), slot(20..<64)])
        #expect(partition.counters == SlotCounters(slotsAdded: 4, slotsRemoved: 1, quiesces: 1))
        try partition.carryOut(change(unmap: [16..<20], map: [mapping(16..<20)]))
        #expect(vm.slots == [slot(0..<64)])
        #expect(partition.counters == SlotCounters(slotsAdded: 5, slotsRemoved: 4, quiesces: 2))
        #expect(vm.complaints.isEmpty && !vm.isQuiesced)
    }

    @Test("Memory mapped again at the same place keeps its slot, while the processors are out")
    func sameAgain() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64)]))
        let again = change(unmap: [16..<20], map: [mapping(16..<20)])
        try partition.begin(again)
        #expect(vm.isQuiesced)
        try partition.unmap(again.unmapped)
        try partition.map(again.mapped)
        #expect(vm.isQuiesced)
        partition.end()
        #expect(!vm.isQuiesced)
        #expect(partition.counters == SlotCounters(slotsAdded: 1, quiesces: 1))
    }

    @Test("Of memory of which a part comes back, only the rest is cut out")
    func partlyAgain() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64)]))
        try partition.carryOut(change(unmap: [16..<20], map: [mapping(16..<18)]))
        #expect(vm.slots == [slot(0..<18), slot(20..<64)])
        #expect(partition.counters == SlotCounters(slotsAdded: 3, slotsRemoved: 1, quiesces: 1))
    }

    @Test("A cut and growth at the end of the same slot make no slot in vain")
    func cutAndGrowth() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64)]))
        try partition.carryOut(change(unmap: [16..<20], map: [mapping(64..<80)]))
        #expect(vm.slots == [slot(0..<16), slot(20..<80)])
        #expect(partition.counters == SlotCounters(slotsAdded: 3, slotsRemoved: 1, quiesces: 1))
    }

    @Test("Where memory goes and other memory comes, the processors see the one or the other")
    func move() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8), mapping(16..<24)]))
        let moved = change(unmap: [16..<24], map: [mapping(32..<40, host: 16)])
        try partition.begin(moved)
        #expect(vm.isQuiesced)
        try partition.unmap(moved.unmapped)
        #expect(vm.isQuiesced)
        try partition.map(moved.mapped)
        #expect(vm.isQuiesced)
        partition.end()
        #expect(!vm.isQuiesced && vm.slots == [slot(0..<8), slot(32..<40, host: 16)])
        #expect(partition.counters == SlotCounters(slotsAdded: 3, slotsRemoved: 1, quiesces: 1))
    }

    @Test("Slots that came one by one become one when the processors are kept out anyway")
    func laterMerge() throws {
        let partition = vm.partition()
        for start in stride(from: 0, to: 32, by: 8) as StrideTo<UInt64> {
            try partition.carryOut(change(map: [mapping(start..<start + 8)]))
        }
        try partition.carryOut(change(map: [mapping(40..<48)]))
        #expect(vm.slots.count == 5)
        try partition.carryOut(change(unmap: [44..<48]))
        #expect(vm.slots == [slot(0..<32), slot(40..<44)])
    }

    @Test("Between the steps no unmapped page is left that does not come back as it was")
    func betweenTheSteps() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64)]))
        let moved = change(unmap: [8..<16, 40..<48], map: [mapping(8..<16), mapping(40..<44, host: 700)])
        try partition.begin(moved)
        try partition.unmap(moved.unmapped)
        #expect(vm.slots.allSatisfy { !$0.range.overlaps(pages(40..<48)) })
        try partition.map(moved.mapped)
        #expect(vm.slots == [slot(0..<40), slot(40..<44, host: 700), slot(48..<64)])
        partition.end()
        #expect(vm.slots == [slot(0..<40), slot(40..<44, host: 700), slot(48..<64)])
    }

    @Test("A change that is given up after its first step is undone by the second, with the slots as they were")
    func undone() throws {
        let partition = vm.partition()
        for range in [0..<32, 32..<64, 64..<96] as [Range<UInt64>] {
            try partition.carryOut(change(map: [mapping(range)]))
        }
        let before = vm.slots
        let rom = change(unmap: [16..<20], map: [mapping(16..<20, host: 500, isWritable: false)])
        try partition.begin(rom)
        try partition.unmap(rom.unmapped)
        try partition.map([mapping(16..<20)])
        partition.end()
        #expect(vm.slots == before)
        try partition.begin(rom)
        try partition.unmap(rom.unmapped)
        try partition.map(rom.mapped)
        try partition.unmap(rom.unmapped)
        try partition.map([mapping(16..<20)])
        partition.end()
        #expect(vm.slots == before && partition.slots.map(\.slot) == before)
        #expect(vm.complaints.isEmpty)
    }

    @Test("What was unmapped and never mapped again is not left in a slot")
    func leftUnmapped() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64)]))
        let again = change(unmap: [16..<20], map: [mapping(16..<20)])
        try partition.begin(again)
        try partition.unmap(again.unmapped)
        partition.end()
        #expect(vm.slots == [slot(0..<16), slot(20..<64)])
    }

    @Test(
        "A partition can be inspected while a change waits for a processor that is slow to leave the guest",
        .timeLimit(.minutes(10)))
    func inspectionWhileWaiting() throws {
        let isWaiting = SharedNumber()
        let isInspected = SharedNumber()
        let vm = vm
        let partition = KVMPartition(
            vm,
            gate: .init(
                quiesce: {
                    isWaiting.value = 1
                    for _ in 0..<20_000 where isInspected.value == 0 { usleep(1000) }
                    // Before the wait is over.
                    isWaiting.value = 2
                }, resume: {}), dirtyPages: FakeVM.Sink(vm: vm))
        try partition.carryOut(change(map: [mapping(0..<64)]))
        try onThreads([
            { try partition.carryOut(change(unmap: [16..<20])) },
            {
                while isWaiting.value == 0 { usleep(1000) }
                let known = (partition.slots.map(\.slot), partition.counters, partition.inspection.slots.count)
                if isWaiting.value != 1 || known != ([slot(0..<64)], SlotCounters(slotsAdded: 1), 1) {
                    throw PartitionError("seen late, or wrong: \(known)")
                }
                isInspected.value = 1
            },
        ])
        #expect(vm.slots == [slot(0..<16), slot(20..<64)])
    }

    @Test("A partition that goes away leaves no slot, and the processors running")
    func goingAway() throws {
        do {
            let partition = vm.partition()
            try partition.carryOut(change(map: [mapping(0..<64), mapping(70..<80)]))
            try partition.begin(change(unmap: [16..<20]))
            #expect(vm.isQuiesced)
        }
        #expect(vm.slots.isEmpty && !vm.isQuiesced)
    }
}

@Suite struct KVMPartitionRefusalTests {
    private let vm = FakeVM(limit: 4)

    private func message(_ body: () throws(PartitionError) -> Void) -> String {
        do throws(PartitionError) {
            try body()
            return "nothing was thrown"
        } catch {
            return error.description
        }
    }

    @Test("At the slot limit the error says the limit, the range and what to do, and nothing has changed")
    func slotLimit() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<1), mapping(2..<3)]))
        let before = vm.slots
        let more = change(map: [mapping(4..<5), mapping(6..<7), mapping(8..<9)])
        let message = message { () throws(PartitionError) in try partition.carryOut(more) }
        #expect(message.contains("all 4 memory slots are in use") && message.contains("[0x8000, 0x8fff]"))
        #expect(message.contains("fewer and larger pieces"))
        #expect(vm.slots == before && partition.slots.map(\.slot) == before)
        #expect(partition.counters.stepsUndone == 2)
    }

    @Test("Where the host has no read-only slots, read-only memory is refused before anything is done")
    func readOnlyMemory() throws {
        let vm = FakeVM(hasReadOnlyMemory: false)
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8)]))
        let rom = change(unmap: [2..<3], map: [mapping(2..<3, isWritable: false)])
        #expect {
            try partition.begin(rom)
        } throws: { error in
            guard let error = error as? PartitionError else { return false }
            return error.underlying as? KVMError == .missingCapability(.readOnlyMemory)
                && error.description.contains("KVM_CAP_READONLY_MEM") && error.description.contains("[0x2000, 0x2fff]")
        }
        #expect(vm.slots == [slot(0..<8)] && !vm.isQuiesced)
    }

    @Test("Foreign slots in the way are an error that says so")
    func foreignSlot() throws {
        let partition = vm.partition()
        _ = try vm.addMemorySlot(slot(4..<5))
        let message = message { () throws(PartitionError) in try partition.carryOut(change(map: [mapping(0..<8)])) }
        #expect(message.contains("EEXIST") && message.contains("another slot covers"))
        #expect(partition.slots.isEmpty)
    }

    @Test(
        "Host addresses that begin no page, or whose memory would pass the last address, are refused",
        arguments: [0x1800, UInt.max - 0xfff] as [UInt])
    func hostAddresses(_ address: UInt) throws {
        let partition = vm.partition()
        let impossible = PartitionMapping(range: pages(0..<2), hostAddress: address, isWritable: true)
        let message = message { () throws(PartitionError) in try partition.carryOut(change(map: [impossible])) }
        #expect(message.contains(String(address, radix: 16)) && message.contains("[0x0, 0x1fff]"))
        #expect(vm.slots.isEmpty)
    }

    @Test("Changes that do not fit what is mapped are refused, and nothing has changed")
    func impossibleChanges() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8)]))
        for impossible in [
            change(unmap: [6..<9]), change(map: [mapping(7..<9)]), change(unmap: [4..<5, 2..<3]),
            change(unmap: [0..<4], map: [mapping(2..<6)]),
        ] {
            #expect(throws: PartitionError.self) { try partition.carryOut(impossible) }
            #expect(vm.slots == [slot(0..<8)] && !vm.isQuiesced)
        }
    }

    @Test("More memory than a slot can have is refused with the reason")
    func tooLarge() throws {
        let partition = vm.partition()
        let huge = change(map: [mapping(0..<MemorySlot.maximumPageCount + 1)])
        let message = message { () throws(PartitionError) in try partition.carryOut(huge) }
        #expect(message.contains("EINVAL") && message.contains("2147483647 pages"))
    }
}
