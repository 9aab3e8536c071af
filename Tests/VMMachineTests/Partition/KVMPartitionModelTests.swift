import KVM
import TestSupport
import Testing
import VMAddressSpace
import VMRegions

@testable import VMMachine

/// A partition against a map that has an entry for every page, with a guest that writes and calls that fail.
@Suite struct KVMPartitionModelTests {
    struct Page: Hashable {
        var host: UInt64
        var isWritable: Bool
    }

    struct Model {
        static let pageCount: UInt64 = 64
        var random: SeededGenerator
        var pages: [Page?] = Array(repeating: nil, count: Int(pageCount))

        /// Other contents for some runs of pages, most of which go on from their neighbours.
        mutating func next() -> (pages: [Page?], change: PartitionChange) {
            var next = pages
            var unmapped: [MemoryRange] = []
            var changed = Set<Int>()
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let start = Int.random(in: 0..<Int(Self.pageCount), using: &random)
                let run = start..<min(Int(Self.pageCount), start + .random(in: 1...12, using: &random))
                let kind = Int.random(in: 0..<8, using: &random)
                for page in run {
                    changed.insert(page)
                    next[page] =
                        switch kind {
                        case 0..<3: nil
                        case 3..<6: Page(host: UInt64(page), isWritable: true)
                        case 6: Page(host: UInt64(page), isWritable: false)
                        default: Page(host: UInt64(page + 1000), isWritable: true)
                        }
                }
            }
            for page in changed.sorted() where pages[page] != nil {
                unmapped.append(VMMachineTests.pages(UInt64(page)..<UInt64(page) + 1))
            }
            let mapped = Self.mappings(next, of: changed)
            return (next, PartitionChange(unmapped: Array(unmapped.merged()), mapped: mapped))
        }

        static func mappings(_ pages: [Page?], of chosen: Set<Int>) -> [PartitionMapping] {
            chosen.sorted().compactMap { page in
                pages[page].map {
                    mapping(UInt64(page)..<UInt64(page) + 1, host: $0.host, isWritable: $0.isWritable)
                }
            }
        }
    }

    /// What the slots show, page by page.
    private func shown(_ slots: [MemorySlot]) -> [Page?] {
        var pages: [Page?] = Array(repeating: nil, count: Int(Model.pageCount))
        for slot in slots {
            for (index, page) in slot.range.frames.enumerated() {
                let host = UInt64((slot.hostAddress - hostBase) >> 12) + UInt64(index)
                pages[Int(page)] = Page(host: host, isWritable: !slot.flags.contains(.readOnly))
            }
        }
        return pages
    }

    private func fewest(_ pages: [Page?]) -> Int {
        pages.indices.count { index in
            guard let page = pages[index] else { return false }
            guard index > 0, let last = pages[index - 1] else { return true }
            return last.isWritable != page.isWritable || last.host + 1 != page.host
        }
    }

    @Test(
        "Random changes show the guest what they should, with as few slots and calls as can be",
        arguments: [1, 2, 3, .random(in: 4...(.max))] as [UInt64])
    func randomChanges(_ seed: UInt64) throws {
        let vm = FakeVM()
        let partition = vm.partition()
        var model = Model(random: SeededGenerator(seed: seed))
        for _ in 0..<5000 {
            let (next, change) = model.next()
            let quiesces = partition.counters.quiesces
            let before = vm.slots
            vm.fail(0..<0)
            vm.state.withLock {
                $0.needed = Set(
                    zip(model.pages, next).enumerated().compactMap { index, page in
                        page.0 != nil && page.1 != nil ? UInt64(index) : nil
                    })
            }
            try partition.begin(change)
            if !change.unmapped.isEmpty { try partition.unmap(change.unmapped) }
            // The memory behind it changes here, so that a page that is still shown must come back.
            for (old, new) in zip(shown(vm.slots), next) where old != nil { #expect(old == new) }
            if !change.mapped.isEmpty { try partition.map(change.mapped) }
            partition.end()
            model.pages = next
            #expect(shown(vm.slots) == next)
            let wasQuiesced = partition.counters.quiesces > quiesces
            let (added, removed) = vm.state.withLock { ($0.added, $0.removed) }
            #expect(Set(added).isDisjoint(with: removed), "a slot went and came back")
            #expect(added.count == Set(added).count && removed.count == Set(removed).count)
            if wasQuiesced {
                #expect(vm.slots.count == fewest(next))
            } else {
                #expect(Set(before).subtracting(removed).isSubset(of: vm.slots))
            }
            #expect(partition.slots.map(\.slot) == vm.slots)
            #expect(partition.counters.slotsAdded - partition.counters.slotsRemoved == UInt64(vm.slots.count))
        }
        #expect(vm.complaints.isEmpty)
    }

    @Test(
        "With calls that fail, and a log of what the guest writes, no page is lost, no write, and no guest runs that would miss one",
        arguments: [1, 2, 3, .random(in: 4...(.max))] as [UInt64])
    func randomFailures(_ seed: UInt64) throws {
        let vm = FakeVM()
        let partition = vm.partition()
        var model = Model(random: SeededGenerator(seed: seed))
        var written = Set<UInt64>()
        var failures = 0
        for _ in 0..<5000 {
            let (next, change) = model.next()
            if Int.random(in: 0..<8, using: &model.random) == 0 {
                try? partition.setLoggingDirtyPages(.random(using: &model.random))
            }
            let page = UInt64.random(in: 0..<Model.pageCount, using: &model.random)
            vm.write(page: page)
            if partition.isLoggingDirtyPages, model.pages[Int(page)]?.isWritable == true { written.insert(page) }
            let first = Int.random(in: 0..<12, using: &model.random)
            vm.fail(first..<first + .random(in: 0...3, using: &model.random))
            model.pages = attempt(change, from: model.pages, to: next, vm, partition, &failures)
            vm.fail(0..<0)
            // A guest never runs that sees something else.
            #expect(vm.isQuiesced != (shown(vm.slots) == model.pages))
            try partition.carryOut(PartitionChange(unmapped: [], mapped: []))
            #expect(shown(vm.slots) == model.pages && !vm.isQuiesced)
            #expect(vm.slots.allSatisfy { $0 == $0.loggingDirtyPages(partition.isLoggingDirtyPages) })
            #expect(vm.state.withLock { written.isSubset(of: $0.dirty.union($0.harvested)) })
        }
        #expect(failures > 500)
        #expect(vm.complaints.isEmpty)
    }

    /// A change as a manager makes it, undone where it fails.
    /// - Returns: what is mapped then. Where undoing fails as well, that is what the steps that worked have made of it.
    private func attempt(
        _ change: PartitionChange, from old: [Page?], to new: [Page?], _ vm: FakeVM, _ partition: KVMPartition,
        _ failures: inout Int
    ) -> [Page?] {
        guard (try? partition.begin(change)) != nil else { return old }
        defer { partition.end() }
        if !change.unmapped.isEmpty, (try? partition.unmap(change.unmapped)) == nil {
            failures += 1
            return old
        }
        // Memory behind it changes here: what was written there must have been handed over.
        let logged = vm.state.withLock { $0.dirty }
        #expect(change.unmapped.allSatisfy { logged.isDisjoint(with: $0.frames) })
        if change.mapped.isEmpty || (try? partition.map(change.mapped)) != nil { return new }
        failures += 1
        let unmapped = Set(change.unmapped.flatMap { $0.frames.map(Int.init) })
        let previous = Model.mappings(old, of: unmapped)
        if previous.isEmpty || (try? partition.map(previous)) != nil { return old }
        return old.enumerated().map { unmapped.contains($0.offset) ? nil : $0.element }
    }
}
