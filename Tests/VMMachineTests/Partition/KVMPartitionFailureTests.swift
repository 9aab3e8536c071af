import KVM
import Testing
import VMAddressSpace
import VMRegions

@testable import VMMachine

/// Every call of every step of a table of changes fails in turn.
@Suite struct KVMPartitionFailureTests {
    struct Scenario: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// What is mapped before, by one change each.
        let before: [[PartitionMapping]]
        let change: PartitionChange
        /// What is mapped to undo the first step.
        var previous: [PartitionMapping] = []
    }

    static let scenarios = [
        Scenario(
            testDescription: "memory is added", before: [[mapping(0..<8)]],
            change: change(map: [mapping(8..<12), mapping(16..<20, isWritable: false), mapping(20..<24)])),
        Scenario(
            testDescription: "whole slots are removed",
            before: [[mapping(0..<8)], [mapping(8..<16), mapping(20..<24)]],
            change: change(unmap: [0..<8, 20..<24]), previous: [mapping(0..<8), mapping(20..<24)]),
        Scenario(
            testDescription: "a slot is cut", before: [[mapping(0..<64), mapping(70..<80)]],
            change: change(unmap: [8..<16, 32..<33]), previous: [mapping(8..<16), mapping(32..<33)]),
        Scenario(
            testDescription: "a ROM comes over RAM", before: [[mapping(0..<32)], [mapping(32..<64)]],
            change: change(unmap: [16..<20], map: [mapping(16..<20, host: 500, isWritable: false)]),
            previous: [mapping(16..<20)]),
        Scenario(
            testDescription: "a ROM goes from RAM",
            before: [[mapping(0..<16), mapping(16..<20, host: 500, isWritable: false), mapping(20..<64)]],
            change: change(unmap: [16..<20], map: [mapping(16..<20)]),
            previous: [mapping(16..<20, host: 500, isWritable: false)]),
        Scenario(
            testDescription: "memory moves, and a part of it stays", before: [[mapping(0..<64)], [mapping(64..<80)]],
            change: change(
                unmap: [8..<16, 40..<48], map: [mapping(8..<12), mapping(40..<44, host: 700), mapping(80..<90)]),
            previous: [mapping(8..<16), mapping(40..<48)]),
    ]

    /// A partition before the change of a scenario.
    private func make(_ scenario: Scenario, isLogging: Bool) throws -> (FakeVM, KVMPartition) {
        let vm = FakeVM()
        let partition = vm.partition()
        for mappings in scenario.before { try partition.carryOut(change(map: mappings)) }
        if isLogging {
            try partition.setLoggingDirtyPages(true)
            vm.write(page: 3)
        }
        return (vm, partition)
    }

    /// Does a change as a manager does, and undoes it where a step fails, checking that the step has changed nothing.
    /// - Parameter undoes: whether the calls that undo what failed work.
    /// - Returns: the error.
    private func attempt(
        _ scenario: Scenario, _ vm: FakeVM, _ partition: KVMPartition, undoWorks: Bool = true
    ) throws -> PartitionError? {
        try partition.begin(scenario.change)
        defer { partition.end() }
        let before = vm.slots
        do throws(PartitionError) {
            if !scenario.change.unmapped.isEmpty { try partition.unmap(scenario.change.unmapped) }
        } catch {
            if undoWorks { #expect(vm.slots == before) }
            return error
        }
        let between = vm.slots
        do throws(PartitionError) {
            if !scenario.change.mapped.isEmpty { try partition.map(scenario.change.mapped) }
        } catch {
            if undoWorks { #expect(vm.slots == between) }
            vm.fail(0..<0)
            if !scenario.previous.isEmpty { try partition.map(scenario.previous) }
            return error
        }
        return nil
    }

    @Test("Whichever call fails, all is as before", arguments: scenarios, [false, true])
    func oneFailure(_ scenario: Scenario, _ isLogging: Bool) throws {
        for call in 0... {
            let (vm, partition) = try make(scenario, isLogging: isLogging)
            let before = vm.slots
            vm.fail(call..<call + 1)
            let error = try attempt(scenario, vm, partition)
            #expect(vm.complaints.isEmpty && !vm.isQuiesced)
            #expect(partition.slots.map(\.slot) == vm.slots)
            guard let error else {
                #expect(call > 1 && vm.slots != before)
                break
            }
            #expect(vm.slots == before, "call \(call) failed")
            #expect(error.description.contains("ENOMEM") && error.description.contains("call \(call)"))
            vm.fail(0..<0)
            #expect(try attempt(scenario, vm, partition) == nil)
            #expect(vm.state.withLock { $0.dirty.union($0.harvested) } == (isLogging ? [3] : []))
        }
    }

    @Test("What cannot be undone is put right when the change ends", arguments: scenarios, [false, true])
    func failingUndo(_ scenario: Scenario, _ isLogging: Bool) throws {
        var cases = 0
        for call in 0..<12 {
            for undo in 1..<4 {
                let (vm, partition) = try make(scenario, isLogging: isLogging)
                let before = vm.slots
                vm.fail(call..<call + 1 + undo)
                guard let error = try attempt(scenario, vm, partition, undoWorks: false) else { continue }
                if error.description.contains("cannot be put back") { cases += 1 }
                // The guest does not run without memory that it is to have, or with other memory.
                #expect(vm.isQuiesced != vm.hasSameMemory(as: before), "call \(call), then \(undo)")
                // The calls that failed are over by the end at the latest, unless there were too few.
                vm.fail(0..<0)
                try partition.carryOut(change())
                #expect(vm.slots == before && partition.slots.map(\.slot) == before, "call \(call), then \(undo)")
                #expect(vm.complaints.isEmpty && !vm.isQuiesced)
            }
        }
        #expect(cases > 0)
    }

    @Test("What still cannot be put right keeps changes from beginning, until it can", arguments: scenarios)
    func lastingFailure(_ scenario: Scenario) throws {
        for call in 1..<12 {
            let (vm, partition) = try make(scenario, isLogging: false)
            let before = vm.slots
            vm.fail(call..<1000)
            try partition.begin(scenario.change)
            var failed = false
            do throws(PartitionError) {
                if !scenario.change.unmapped.isEmpty { try partition.unmap(scenario.change.unmapped) }
            } catch {
                failed = error.description.contains("cannot be put back")
            }
            partition.end()
            guard failed else { continue }
            #expect(vm.isQuiesced && !vm.hasSameMemory(as: before))
            #expect(throws: PartitionError.self) { try partition.begin(scenario.change) }
            #expect(vm.isQuiesced && partition.slots.map(\.slot) == vm.slots)
            vm.fail(0..<0)
            try partition.carryOut(scenario.change)
            let (other, reference) = try make(scenario, isLogging: false)
            try reference.carryOut(scenario.change)
            #expect(vm.slots == other.slots && vm.complaints.isEmpty)
        }
    }

    @Test(
        "A change that is taken back is not over until what could not be undone is", arguments: scenarios,
        [false, true])
    func restoring(_ scenario: Scenario, _ isLogging: Bool) throws {
        var cases = 0
        for call in 0..<12 {
            let (vm, partition) = try make(scenario, isLogging: isLogging)
            let before = vm.slots
            vm.fail(call..<1000)
            try partition.begin(scenario.change)
            var isUnmapped = false
            var isLost = false
            do throws(PartitionError) {
                if !scenario.change.unmapped.isEmpty {
                    try partition.unmap(scenario.change.unmapped)
                    isUnmapped = true
                }
                if !scenario.change.mapped.isEmpty { try partition.map(scenario.change.mapped) }
            } catch {
                isLost = error.description.contains("cannot be put back")
            }
            guard isLost else {
                partition.end()
                continue
            }
            cases += 1
            for _ in 0..<2 {
                #expect(throws: PartitionError.self) { try partition.restore() }
                #expect(vm.isQuiesced && partition.slots.map(\.slot) == vm.slots)
            }
            vm.fail(0..<0)
            if isUnmapped { try partition.map(scenario.previous) }
            try partition.restore()
            partition.end()
            #expect(vm.slots == before && vm.complaints.isEmpty && !vm.isQuiesced, "call \(call)")
        }
        #expect(cases > 0)
    }

    @Test("Logs that cannot be switched back keep no processor out, and no change makes them cost memory")
    func lastingFlags() throws {
        let vm = FakeVM()
        let partition = vm.partition()
        try partition.carryOut(change(map: [mapping(0..<8), mapping(10..<18), mapping(20..<28)]))
        try partition.setLoggingDirtyPages(true)
        let before = vm.slots
        vm.fail(4..<1000)
        #expect(throws: PartitionError.self) { try partition.setLoggingDirtyPages(false) }
        #expect(vm.slots != before && !vm.isQuiesced)
        for _ in 0..<3 {
            vm.fail(0..<1000)
            #expect(throws: PartitionError.self) { try partition.carryOut(change(unmap: [0..<8])) }
            #expect(vm.hasSameMemory(as: before) && !vm.isQuiesced)
        }
        vm.fail(0..<0)
        try partition.carryOut(change())
        #expect(vm.slots == before && vm.complaints.isEmpty && !vm.isQuiesced)
        #expect(vm.state.withLock { $0.removed.isEmpty })
    }
}
