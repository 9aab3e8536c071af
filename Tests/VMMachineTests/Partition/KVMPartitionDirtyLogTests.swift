import KVM
import TestSupport
import Testing
import VMAddressSpace
import VMRegions

@testable import VMMachine

@Suite struct KVMPartitionDirtyLogTests {
    private let vm = FakeVM()

    private var harvested: Set<UInt64> { vm.state.withLock { $0.harvested } }

    @Test("The log is switched for all that the guest can write, and new memory has it too")
    func switching() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64), mapping(64..<66, isWritable: false)]))
        try partition.setLoggingDirtyPages(true)
        #expect(partition.isLoggingDirtyPages)
        #expect(vm.slots == [slot(0..<64, .logDirtyPages), slot(64..<66, .readOnly)])
        #expect(partition.counters.quiesces == 0)
        try partition.carryOut(change(map: [mapping(70..<80)]))
        try partition.carryOut(change(unmap: [16..<20], map: [mapping(16..<20, host: 500, isWritable: false)]))
        #expect(
            vm.slots == [
                slot(0..<16, .logDirtyPages), slot(16..<20, host: 500, .readOnly), slot(20..<64, .logDirtyPages),
                slot(64..<66, .readOnly), slot(70..<80, .logDirtyPages),
            ])
        try partition.setLoggingDirtyPages(false)
        #expect(vm.slots.allSatisfy { !$0.flags.contains(.logDirtyPages) } && !partition.isLoggingDirtyPages)
        #expect(vm.complaints.isEmpty && !vm.isQuiesced)
    }

    @Test("What the log of a slot has is handed over before the slot goes, with the processors out")
    func removal() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<200), mapping(300..<310)]))
        try partition.setLoggingDirtyPages(true)
        for page in [0, 63, 64, 199, 305] as [UInt64] { vm.write(page: page) }
        try partition.carryOut(change(unmap: [70..<80]))
        #expect(harvested == [0, 63, 64, 199])
        #expect(partition.counters.pagesHarvested == 4)
        try partition.carryOut(change(unmap: [300..<310]))
        #expect(harvested.contains(305))
        #expect(partition.counters.quiesces == 2)
        #expect(vm.complaints.isEmpty)
    }

    @Test("The log of a slot that stays is handed over before the memory behind it can change")
    func staying() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64)]))
        try partition.setLoggingDirtyPages(true)
        vm.write(page: 17)
        let again = change(unmap: [16..<20], map: [mapping(16..<20)])
        try partition.begin(again)
        try partition.unmap(again.unmapped)
        #expect(harvested == [17])
        try partition.map(again.mapped)
        partition.end()
        #expect(vm.slots == [slot(0..<64, .logDirtyPages)])
    }

    @Test("What the guest has written can be had without a change")
    func harvesting() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64), mapping(70..<80)]))
        try partition.setLoggingDirtyPages(true)
        vm.write(page: 17)
        vm.write(page: 70)
        try partition.harvestDirtyPages()
        #expect(harvested == [17, 70] && partition.counters.pagesHarvested == 2)
        vm.write(page: 18)
        try partition.harvestDirtyPages()
        #expect(harvested == [17, 18, 70] && partition.counters.pagesHarvested == 3)
    }

    @Test("What the logs have when a partition goes away is handed over, with the processors out")
    func goingAway() throws {
        do {
            let partition = vm.partition()
            try partition.carryOut(change(map: [mapping(0..<64), mapping(70..<80)]))
            try partition.setLoggingDirtyPages(true)
            vm.write(page: 17)
            vm.write(page: 70)
        }
        #expect(harvested == [17, 70])
        #expect(vm.slots.isEmpty && vm.complaints.isEmpty && !vm.isQuiesced)
    }

    @Test("What the logs have is handed over when the slots are left to a VM that goes, each as far as it can be read")
    func abandoned() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64), mapping(70..<80), mapping(90..<99)]))
        try partition.setLoggingDirtyPages(true)
        for page in [17, 70, 98] as [UInt64] { vm.write(page: page) }
        vm.fail(1..<2)
        partition.abandon()
        #expect(harvested == [17, 98])
        #expect(vm.slots.count == 3 && vm.state.withLock { $0.removed.isEmpty })
    }

    @Test("Once its slots are left to a VM that goes, a partition is told of changes and does nothing")
    func nothingAfterwards() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64), mapping(70..<80)]))
        try partition.begin(change(unmap: [16..<20]))
        partition.abandon()
        #expect(!vm.isQuiesced)
        partition.end()
        vm.fail(0..<100)
        try partition.carryOut(change(unmap: [8..<12]))
        try partition.carryOut(change(unmap: [16..<20], map: [mapping(16..<20, host: 500)]))
        try partition.setLoggingDirtyPages(true)
        try partition.harvestDirtyPages()
        #expect(partition.slots.isEmpty && !partition.isLoggingDirtyPages)
        #expect(vm.slots == [slot(0..<64), slot(70..<80)] && vm.state.withLock { $0.calls } == 0)
        #expect(vm.complaints.isEmpty && !vm.isQuiesced)
    }

    @Test("Switching off hands over what the logs have, and if it fails nothing is lost", arguments: 0..<6)
    func switchingOff(_ failing: Int) throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8), mapping(10..<18), mapping(20..<28)]))
        try partition.setLoggingDirtyPages(true)
        let before = vm.slots
        for page in [1, 11, 21] as [UInt64] { vm.write(page: page) }
        vm.fail(failing..<failing + 1)
        #expect(throws: PartitionError.self) { try partition.setLoggingDirtyPages(false) }
        #expect(vm.slots == before && partition.isLoggingDirtyPages)
        #expect(vm.complaints.isEmpty && !vm.isQuiesced)
        try partition.setLoggingDirtyPages(false)
        #expect(harvested == [1, 11, 21] && partition.counters.quiesces == 2)
    }

    @Test("If switching on fails, no slot logs", arguments: 0..<3)
    func switchingOn(_ failing: Int) throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8), mapping(10..<18), mapping(20..<28)]))
        let before = vm.slots
        vm.fail(failing..<failing + 1)
        #expect(throws: PartitionError.self) { try partition.setLoggingDirtyPages(true) }
        #expect(vm.slots == before && !partition.isLoggingDirtyPages)
        #expect(partition.counters.stepsUndone == UInt64(failing))
    }

    @Test("If the undoing fails as well, the next change puts the flags right first")
    func undoneLater() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8), mapping(10..<18)]))
        let before = vm.slots
        vm.fail(1..<3)
        #expect(throws: PartitionError.self) { try partition.setLoggingDirtyPages(true) }
        #expect(vm.slots != before)
        try partition.carryOut(change())
        #expect(vm.slots == before && vm.complaints.isEmpty)
    }

    @Test("A log that cannot be read makes unmapping fail, and nothing has changed")
    func unreadable() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8), mapping(10..<18)]))
        try partition.setLoggingDirtyPages(true)
        let before = vm.slots
        for call in 0..<2 {
            vm.write(page: 1)
            vm.write(page: 11)
            vm.fail(call..<call + 1, .noSuchAddressOrDevice)
            #expect {
                try partition.carryOut(change(unmap: [0..<8, 10..<12]))
            } throws: { error in
                "\(error)".contains("cannot read the dirty log") && "\(error)".contains("KVM_GET_DIRTY_LOG")
                    && "\(error)".contains("ENXIO")
            }
            #expect(vm.slots == before && !vm.isQuiesced)
            #expect(vm.state.withLock { $0.dirty.union($0.harvested) } == [1, 11])
        }
    }

    @Test(
        "The log can be switched and read, and the partition inspected, while changes are made",
        .timeLimit(.minutes(10))
    )
    func fromOtherThreads() throws {
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<64)]))
        try onThreads([
            {
                for _ in 0..<300 {
                    try partition.carryOut(
                        change(unmap: [16..<20], map: [mapping(16..<20, host: 500, isWritable: false)]))
                    try partition.carryOut(change(map: [mapping(70..<80)]))
                    try partition.carryOut(change(unmap: [16..<20, 70..<80], map: [mapping(16..<20)]))
                }
            },
            {
                for _ in 0..<300 {
                    try partition.setLoggingDirtyPages(true)
                    try partition.harvestDirtyPages()
                    try partition.setLoggingDirtyPages(false)
                }
            },
            {
                for _ in 0..<1000 {
                    let counters = partition.counters
                    if counters.slotsAdded < counters.slotsRemoved || partition.slots.count > 4 {
                        throw PartitionError("inspection saw what never was")
                    }
                }
            },
        ])
        #expect(vm.slots == [slot(0..<64)] && partition.slots.map(\.slot) == vm.slots)
        #expect(vm.complaints.isEmpty && !vm.isQuiesced)
    }

    @Test("What is written while a log is off that could not be put back counts as written")
    func writtenWhileOff() throws {
        let vm = vm
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8), mapping(10..<18)]))
        try partition.setLoggingDirtyPages(true)
        // Two logs are read, the first is switched off, the second is not, nor the first on again.
        vm.fail(3..<5)
        #expect(throws: PartitionError.self) { try partition.setLoggingDirtyPages(false) }
        vm.write(page: 3)
        vm.write(page: 12)
        vm.fail(0..<0)
        try partition.harvestDirtyPages()
        #expect(vm.state.withLock { $0.harvested }.isSuperset(of: [3, 12]))
        #expect(!vm.isQuiesced && vm.complaints.isEmpty)
    }

    @Test("Logs that began full are cleared so that large pages are protected, and what comes later begins clean")
    func beginningFull() throws {
        let vm = vm
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8)]))
        try partition.startLogging(.manual, isInitiallySet: true)
        try partition.harvestDirtyPages()
        #expect(vm.state.withLock { $0.harvested } == Set(0..<8))
        vm.state.withLock { $0.harvested = [] }
        try partition.carryOut(change(map: [mapping(20..<24)]))
        vm.write(page: 21)
        vm.write(page: 5)
        try partition.harvestDirtyPages()
        #expect(vm.state.withLock { $0.harvested } == [5, 21])
        try partition.stopLogging()
        #expect(vm.complaints.isEmpty)
    }
}
